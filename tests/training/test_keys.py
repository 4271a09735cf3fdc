from segcube.training.keys import StepKey


def test_a_stream_depends_on_seed_step_sample_and_purpose():
    def first(seed=0, step=0, sample=0, purpose="noise"):
        return StepKey(seed, step).generator(purpose, sample).random()

    draws = [first(), first(seed=1), first(step=1), first(sample=1), first(purpose="blur")]
    assert len(set(draws)) == 5
    assert first() == draws[0]
