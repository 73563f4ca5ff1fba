# shellcheck shell=bash
# lib.sh -- what the scripts share: where the repository is, how to speak, how to build.
#
# Sourced after `set -euo pipefail`. Nothing here ends the caller but `die`.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
SCRIPT=$(basename "$0")

say() { printf '%s: %s\n' "$SCRIPT" "$*" >&2; }

die() {
    say "$*"
    exit 2
}

# print_usage: the head comment of the calling script, without its `#`: the help text has one home.
print_usage() { sed -n '2,/^[^#]/{/^#/!d;s/^# \{0,1\}//;p}' "$0"; }

has() { command -v "$1" >/dev/null 2>&1; }

is_number() { [[ $1 =~ ^[0-9]+$ ]]; }

# cmake_options BUILD: how each of the four builds is configured. RelWithDebInfo is the CMakeLists' own default.
cmake_options() {
    case $1 in
    build)
        # scripts/run must do on a machine that has nothing for the tests.
        if pkg-config --exists cmocka; then echo "-DPLENUM_TESTS=ON"; else echo "-DPLENUM_TESTS=OFF"; fi
        ;;
    build-asan) echo "-DPLENUM_SANITIZE=address -DPLENUM_BENCH=OFF" ;;
    build-tsan) echo "-DPLENUM_SANITIZE=thread -DPLENUM_BENCH=OFF" ;;
    build-fuzz)
        echo "-DPLENUM_SANITIZE=address -DPLENUM_FUZZERS=ON -DPLENUM_TESTS=OFF -DPLENUM_BENCH=OFF" \
            "-DCMAKE_C_COMPILER=clang"
        ;;
    *) die "no build is called $1" ;;
    esac
}

# configure BUILD: enough for compile_commands.json.
configure() {
    local dir=$ROOT/$1 options=()
    read -ra options <<<"$(cmake_options "$1")"
    if [[ ! -f $dir/CMakeCache.txt ]] && has ninja; then
        options+=(-G Ninja)
    fi
    cmake -S "$ROOT" -B "$dir" "${options[@]}"
}

# compile BUILD [TARGET...]
compile() {
    local dir=$ROOT/$1
    shift
    cmake --build "$dir" --parallel "$(($(nproc) + 1))" ${1:+--target "$@"}
}

# quietly BUILD COMMAND...: what it prints is shown when it fails. A lock keeps two scripts that want the same build (a
# test run and a cluster, say) from writing into each other's files.
quietly() {
    local dir=$ROOT/$1 log=$ROOT/$1/scripts-build.log
    shift
    mkdir -p "$dir"
    (
        flock 9
        "$@" >"$log" 2>&1 9>&- || {
            cat "$log" >&2
            exit 1
        }
    ) 9>"$dir/.lock"
}

# build BUILD [TARGET...]: says one line when it went well, everything when not.
build() {
    local started=$SECONDS
    if quietly "$1" configure "$1" && quietly "$1" compile "$@"; then
        say "built $1 ($((SECONDS - started)) s)"
    else
        say "$1 could not be built"
        return 1
    fi
}

# http_get HOST PORT PATH: prints the answer as it comes, head and body; fails when nobody answers. Bash alone, so that a
# machine without curl can run a cluster.
http_get() (
    local line=
    exec 3<>"/dev/tcp/$1/$2" || exit 1
    printf 'GET %s HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\n\r\n' "$3" "$1" "$2" >&3
    while IFS= read -r -t 2 line <&3 || [[ -n $line ]]; do
        printf '%s\n' "$line"
        line=
    done
) 2>/dev/null

# c_files PATTERN: the repository's own C files of that name pattern.
c_files() {
    find "$ROOT/common" "$ROOT/gateway" "$ROOT/tests" -name node_modules -prune -o -type f -name "$1" -print | sort
}

# without_aslr COMMAND...: sanitizers lay out their shadow memory at fixed addresses, which newer kernels' randomisation
# can collide with. Where it may not be switched off, the command runs as it is.
without_aslr() {
    if setarch -R true 2>/dev/null; then setarch -R "$@"; else "$@"; fi
}
