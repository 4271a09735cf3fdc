from segcube.training.starters.train import main

main()
