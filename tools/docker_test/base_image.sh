#!/usr/bin/env bash
# A stand-in for the base of docker/*.Dockerfile, where no registry of images can be reached: base_image.sh NAME PYTHON
# Debian's own packages, and the Python 3.13 that runs on this machine. It trusts the authorities that this machine
# trusts, so that pip reaches the same indices. Needs root and debootstrap.
set -euo pipefail
name=$1
prefix=$("$2" -c 'import sys; assert sys.version_info[:2] == (3, 13), sys.version; print(sys.base_prefix)')
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
libraries=ca-certificates,libbz2-1.0,libffi8,liblzma5,libncursesw6,libreadline8,libsqlite3-0,libssl3,libuuid1,zlib1g
debootstrap --variant=minbase --include="$libraries,netbase,tzdata" bookworm "$root" > /dev/null
tar -C "$prefix" --exclude=site-packages --exclude=test --exclude='config-*' --exclude=__pycache__ -c bin/python3.13 lib |
    tar -C "$root/usr/local" -x
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
ln -s python3.13 "$root/usr/local/bin/python3"
ln -s python3.13 "$root/usr/local/bin/python"
mkdir -p "$root/usr/local/lib/python3.13/site-packages"
chroot "$root" ldconfig
chroot "$root" /usr/local/bin/python -m ensurepip --default-pip > /dev/null
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
tar -C "$root" -c . | docker import --change 'ENV LANG=C.UTF-8' --change 'CMD ["python3"]' - "$name" > /dev/null
