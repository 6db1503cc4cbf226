#!/usr/bin/env bash
# Build llama-server, an independent implementation of Qwen3-VL, from a source package, and convert the small world's judge for it.
# About seven minutes on three busy cores, once; the build is kept. `build.sh FOLDER PYTHON`, whose PYTHON has torch and transformers.
set -euo pipefail
folder=$1 python=$(realpath -s "$2") here=$(realpath "$(dirname "$0")")
version=0.3.36
mkdir -p "$folder"
cd "$folder"
source=$PWD/llama_cpp_python-$version/vendor/llama.cpp

if [ ! -x "$source/build/bin/llama-server" ]; then
    # An environment of its own: building the package's metadata takes tools that nothing else here needs.
    "$python" -m venv environment
    environment/bin/pip download --quiet --no-deps --no-binary :all: "llama-cpp-python==$version"
    tar xzf "llama_cpp_python-$version.tar.gz"
    cmake -S "$source" -B "$source/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=OFF -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF \
        -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_BUILD_WEBUI=OFF
    ninja -j 3 -C "$source/build" llama-server
fi
[ -d packages/sentencepiece ] || "$python" -m pip install --quiet --no-deps --target packages sentencepiece
# Anew each time: the judge may have been trained again.
judge=$here/../../editbench/world/judge
"$python" "$here/convert.py" "$source" packages "$judge" --outtype f32 --outfile judge.gguf
"$python" "$here/convert.py" "$source" packages "$judge" --outtype f32 --mmproj --outfile mmproj.gguf
ln -sf "$source/build/bin/llama-server" llama-server
