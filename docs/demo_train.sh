# Trains two folds on phantoms and predicts others; `make demo-train` runs it. Argument: the command segcube.
set -eux
segcube=$1
# Labelled cases: 16 to learn from, 3 of another seed to test on
$segcube phantoms train --challenge brats2023-gli --count 16 --seed 1
$segcube phantoms unseen --challenge brats2023-gli --count 3 --seed 2
# All that follows from the labelled cases, ending in weights/glioma
$segcube plan train/data --ref train/labels --challenge brats2023-gli --recipe fast --split 2 --out runs/glioma --go
$segcube check submission weights/glioma
# Predict, score and draw the unseen cases
$segcube infer -i unseen/data -o maps -w weights/glioma
$segcube evaluate --maps maps --ref unseen/labels --challenge brats2023-gli --profile plain --scores scores.json
$segcube picture -i unseen/data --maps maps --ref unseen/labels -o pictures --challenge brats2023-gli
