# What the recipes share: arguments, build, the run, and a smoke run on models of the true shapes with random weights.

recipe_usage() {
  cat >&2 <<END
usage: $0 --teacher DIR --student DIR --data FILE.json --out DIR [--images DIR] [-- ARGUMENT...]
       $0 --smoke [--out DIR] [-- ARGUMENT...]

  --teacher, --student   Hugging Face directories of the two models; relative paths start where you are
  --data                 LLaVA/ShareGPT or messages JSON, or JSONL; --images: where its relative picture paths start
  --out                  the run directory; the result is in DIR/model. A second start continues a run that was stopped
  --smoke                two updates of each step on random models of the true shapes and 100 conversations of easy-VQA
  ARGUMENT...            for vlsi distill, such as --set optimizer.accumulate=8
  VLSI_TORCH=cuda        in the environment: on a GPU, with a program that is built for it
END
  exit 2
}

# recipe FAMILY STUDENT TEACHER SMOKE_TOKENS ARGUMENT...: the folder here with the sizes' files, the sizes, the tokens of a micro-batch of
# the smoke run, and what the user gave.
recipe() {
  local family=$1 student_size=$2 teacher_size=$3 smoke_tokens=$4; shift 4
  local name="$family-$student_size-from-$teacher_size" smoke=0 teacher= student= data= images= out= key
  while [ $# -gt 0 ]; do
    case "$1" in
      --smoke) smoke=1; shift ;;
      --teacher | --student | --data | --images | --out)
        [ $# -ge 2 ] || { echo "$name: $1 wants a value" >&2; recipe_usage; }
        printf -v "${1#--}" %s "$2"; shift 2 ;;
      --) shift; break ;;
      *) echo "$name: unknown argument '$1'" >&2; recipe_usage ;;
    esac
  done
  # The script works in the folder of the project, the user in the one before.
  for key in teacher student data images out; do
    case "${!key}" in "" | /*) ;; *) [ "$OLDPWD" = "$PWD" ] || printf -v "$key" %s "$OLDPWD/${!key}" ;; esac
  done
  local missing=
  if [ $smoke = 0 ]; then
    for key in teacher student data out; do [ -n "${!key}" ] || missing+=" --$key"; done
    [ -z "$missing" ] || { echo "$name: missing$missing" >&2; recipe_usage; }
  elif [ -n "$teacher$student$data$images" ]; then
    echo "$name: --smoke makes its own models and data; give --out alone" >&2; recipe_usage
  fi

  local preset=release python=.deps/python settings=()
  if [ "${VLSI_TORCH:-cpu}" = cuda ]; then preset=cuda python=.deps/python-cuda settings=(--set device=cuda); fi
  local vlsi=build/$preset/vlsi
  bash cmake/setup.sh
  mkdir -p build
  cmake --preset $preset >build/configure.log 2>&1 || { tail -n 30 build/configure.log >&2; exit 1; }
  cmake --build --preset $preset --target vlsi >build/build.log 2>&1 || { tail -n 30 build/build.log >&2; exit 1; }

  if [ $smoke = 1 ]; then
    out=${out:-runs/out/$name}
    make_smoke_inputs "$out" "$family" "$student_size" "$teacher_size"
    teacher=$out/teacher student=$out/student data=$out/data.json images=.deps/easy-vqa/easy_vqa/data
    for key in verbalize interact finetune; do settings+=(--set "$key.epochs=0" --set "$key.iterations=2"); done
    # Two micro-batches an update: minutes on two cores.
    settings+=(--set data.batch_tokens=$smoke_tokens --set data.sample_tokens=$smoke_tokens --set optimizer.accumulate=2)
    out=$out/run
    rm -rf "$out"
  fi
  [ ! -f "$out/config.yaml" ] || settings+=(--resume)
  local source="{path: \"$data\"${images:+, images: \"$images\"}}"
  $vlsi distill "runs/$family/$student_size-from-$teacher_size.yaml" --set "out=$out" --set "teacher.model=$teacher" \
    --set "student.model=$student" --set "data.train=[$source]" "${settings[@]}" "$@"
  if [ $smoke = 1 ]; then python3 runs/smoke.py report "$out"; fi
}

# make_smoke_inputs OUT FAMILY STUDENT TEACHER: OUT/student, OUT/teacher and OUT/data.json, unless they are there.
make_smoke_inputs() {
  local out=$1 family=$2 role size tokenizer=qwen2_vl
  [ "$family" != llava-ov ] || tokenizer=llava_onevision
  if [ ! -d .deps/easy-vqa/easy_vqa ]; then
    $python/bin/pip install -q --disable-pip-version-check --no-deps --target .deps/easy-vqa easy-vqa==1.0
  fi
  python3 tests/data/qwen2/make_tokenizer.py "$out/tokenizer" $tokenizer
  cp "runs/$family/preprocessor_config.json" "$out/tokenizer"
  python3 runs/smoke.py data .deps/easy-vqa/easy_vqa "$out/data.json"
  for role in student:$3 teacher:$4; do
    size=${role#*:} role=${role%:*}
    [ -d "$out/$role" ] || $vlsi init --config "runs/$family/model-$size.json" --tokenizer "$out/tokenizer" --dtype bfloat16 \
      --max-shard-bytes 4000000000 --initializer normal --seed "$(printf '%.0f' "${size%b}")" --out "$out/$role"
  done
}
