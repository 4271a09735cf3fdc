# Trains the starters on phantoms alone and writes their submissions; `make starters` runs it in a folder of its own.
# Arguments: the commands segcube and python, and the folder of the submissions. Run again, it continues.
set -eux
segcube=$1 python=$2 weights=$3

# Brains of the second generator validate; others of the usual one, that no network was trained on, choose the component rules
brats="--challenge brats2023-gli"
test -e second/ready || { $segcube phantoms second $brats --generator second --count 12; touch second/ready; }
test -e unseen/ready || { $segcube phantoms unseen $brats --count 16 --seed 77; touch unseen/ready; }
for seed in 0 1 2; do
  $segcube plan second/data --ref second/labels $brats --recipe brats-starter --out runs/brats-$seed \
    --set seed=$seed --set synthetic.seed=$((seed + 1))
  $segcube train runs/brats-$seed
  $segcube validate runs/brats-$seed
done
rm -rf collected maps probabilities
$segcube collect runs/brats-0 runs/brats-1 runs/brats-2 --out collected --licence Apache-2.0
$python ../docs/starter.py collected "$weights/brats-starter"
$segcube compile "$weights/brats-starter"
$segcube infer -i unseen/data -o maps -w "$weights/brats-starter" --save-probabilities probabilities
$segcube tune --probabilities probabilities --ref unseen/labels -w "$weights/brats-starter" --out rules.yaml
$python ../docs/starter.py collected "$weights/brats-starter" --rules rules.yaml
$segcube compile "$weights/brats-starter"
$segcube check submission "$weights/brats-starter"

# Hearts in two stages
mbas="--challenge mbas2024"
test -e hearts/ready || { $segcube phantoms hearts $mbas --generator second --count 8; touch hearts/ready; }
for stage in heart atria; do
  previous=$(test $stage = heart || echo --previous runs/heart)
  $segcube plan hearts/data --ref hearts/labels $mbas --recipe mbas-starter-$stage --out runs/$stage $previous
  $segcube train runs/$stage
  $segcube validate runs/$stage
done
rm -rf collected
$segcube collect runs/atria --out collected --licence Apache-2.0
$python ../docs/starter.py collected "$weights/mbas-starter"
$segcube compile "$weights/mbas-starter"
$segcube check submission "$weights/mbas-starter"
