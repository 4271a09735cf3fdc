import pytest
import typer

from segcube.commands.leave import leave_with


def test_ctrl_c_is_one_line_and_130(capsys):
    def task():
        raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as left:
        leave_with(task)
    assert left.value.exit_code == 130
    assert capsys.readouterr().err == "interrupted\n"
