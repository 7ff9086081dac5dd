# shellcheck shell=bash
# Installs Intel MKL's run-time library (libmkl-rt) on Debian and its relatives; called by './mshpc setup --mkl'.
#
#   source .ci/setup-mkl.sh && setup_mkl        or        bash .ci/setup-mkl.sh
#
# MKL is free of charge but not free software (Intel Simplified Software License): Debian keeps it in the component
# 'non-free', so that component is added as a source of its own, /etc/apt/sources.list.d/mshpc-non-free.sources, with
# the mirror, suite and key that the machine uses already. Nothing is removed or replaced: the system's libblas.so.3
# and liblapack.so.3, which PETSc links to, stay as they are; MsHpc loads libmkl_rt.so by name. To undo:
#
#   apt-get purge 'libmkl-*' && rm /etc/apt/sources.list.d/mshpc-non-free.sources && apt-get update
#
# 150 MB to download, 790 MB on disk. Running it again does nothing.

setup_mkl() (
    set -eu
    say() { printf 'setup --mkl: %s\n' "$*" >&2; }

    if ldconfig -p 2>/dev/null | grep -q 'libmkl_rt\.so'; then
        say "MKL is there already: $(ldconfig -p | awk '/libmkl_rt\.so/ { print $NF; exit }')"
        exit 0
    fi
    if ! command -v apt-get >/dev/null; then
        say "no apt-get here. Install MKL by the means of this system (oneAPI, conda 'mkl', a module) and set MSHPC_BLAS to its libmkl_rt.so."
        exit 1
    fi
    if [ "$(dpkg --print-architecture)" != amd64 ]; then
        say "MKL exists for amd64 only."
        exit 1
    fi
    as_root=""
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            say "needs root (or sudo) to install packages."
            exit 1
        fi
        as_root=sudo
    fi

    available() { apt-cache policy libmkl-rt 2>/dev/null | grep -q 'Candidate: [0-9]'; }

    if ! available; then
        # shellcheck source=/dev/null
        . /etc/os-release
        if [ "${ID:-}" != debian ]; then
            say "no package libmkl-rt known to apt; on Ubuntu enable 'multiverse' (add-apt-repository multiverse) and try again."
            exit 1
        fi
        # Mirror and key of the first Debian source; security and backport mirrors are named differently and are skipped.
        mirror=$(awk '$1 == "URIs:" && $2 ~ /\/debian\/?$/ { print $2; exit }' /etc/apt/sources.list.d/*.sources 2>/dev/null || true)
        [ -n "$mirror" ] || mirror=$(awk '$1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /^http.*\/debian\/?$/) { print $i; exit } }' \
            /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || true)
        if [ -z "$mirror" ]; then
            say "apt has no Debian mirror to take the component non-free from; add it to your sources and try again."
            exit 1
        fi
        source=/etc/apt/sources.list.d/mshpc-non-free.sources
        say "adding $source ($mirror, $VERSION_CODENAME, component non-free)"
        printf '%s\n' 'Types: deb' "URIs: $mirror" "Suites: $VERSION_CODENAME" 'Components: non-free' \
            'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg' | $as_root tee "$source" >/dev/null
        $as_root apt-get update -q >&2
        if ! available; then
            say "this release of Debian does not have libmkl-rt."
            exit 1
        fi
    fi

    # The package asks whether MKL shall replace the system's BLAS and LAPACK: no.
    if command -v debconf-set-selections >/dev/null; then
        echo 'libmkl-rt libmkl-rt/use-as-default-blas-lapack boolean false' | $as_root debconf-set-selections
    fi
    say "installing libmkl-rt (Intel Simplified Software License, see /usr/share/doc/libmkl-rt/copyright)"
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends libmkl-rt >&2
    say "installed $(ldconfig -p | awk '/libmkl_rt\.so/ { print $NF; exit }')"
)

if [ "${BASH_SOURCE[0]:-}" = "$0" ]; then setup_mkl; fi
