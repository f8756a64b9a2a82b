#!/bin/sh
# Every figure and test of a GPU with one command:
#
#   benchmarks/gpu.sh FILE [ARGS of benchmarks.gpu]
#
# FILE has source<TAB>target lines. It needs this repository's environment with onnxruntime-gpu, and torch with CUDA for
# the comparison with eager mode (PYTHON names the interpreter). What CUDA lacks is said by the doctor, first of all.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
file=${1:?benchmarks/gpu.sh FILE: name a file of source<TAB>target lines}
shift
"$python" -m service doctor --device cuda
"$python" -m pytest -m gpu tests
"$python" -m benchmarks.gpu "$file" "$@"
