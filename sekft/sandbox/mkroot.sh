#!/bin/sh
# The root file system of every place, from named Debian packages: mkroot.sh FOLDER [TAR]
# No maintainer script is run; what they would do is done by hand below. The same packages give the same bytes.
# Works as root and as an ordinary user; needs apt-get with package lists, dpkg-deb, GNU tar, and bwrap or chroot.
set -eu
umask 022
export LC_ALL=C
out=$1 tar=${2:-}
debs=$out.debs
say() { printf 'mkroot: %s\n' "$*" >&2; exit 1; }
for tool in apt-get apt-cache dpkg-deb tar; do
 command -v $tool >/dev/null || say "$tool is missing: this recipe needs Debian or Ubuntu"
done
rm -rf "$out" "$debs"
mkdir -p "$out" "$debs"

# a|b: the first one that apt knows; names differ between bookworm, trixie and Ubuntu
wanted='base-files base-passwd dash coreutils|gnu-coreutils grep sed mawk findutils diffutils tar less mandoc
 debianutils procps hostname gzip ed libc-bin
 libc6 gcc-12-base|gcc-14-base libgcc-s1 libacl1t64|libacl1 libattr1t64|libattr1 libgmp10 libselinux1 libpcre2-8-0
 libtinfo6 libncursesw6 libproc2-0|libprocps8 zlib1g libsystemd0 libcap2 libgcrypt20 libgpg-error0 liblzma5 libzstd1
 liblz4-1 libcrypt1 libmd0 libssl3t64|libssl3 libudev1 ncurses-base'
choose() {
 # one call for all names: apt-cache takes half a second to start
 known=$(apt-cache policy $(printf %s "$wanted" | tr '|' ' ') |
  awk '/^[^ ]/ { sub(/:$/, ""); name = $0 } $1 == "Candidate:" && $2 != "(none)" { print name }')
 packages=
 for names in $wanted; do
  found=
  for name in $(printf %s "$names" | tr '|' ' '); do
   [ "$found" ] || ! printf '%s\n' "$known" | grep -qxF "$name" || found=$name
  done
  [ "$found" ] || return 1
  packages="$packages $found"
 done
}
download() { choose && ( cd "$debs" && apt-get download -q $packages >log 2>&1 ); }
# lists may be missing, or so old that their versions are gone; without root they cannot be renewed
# (root's downloads are done by the user _apt, who may not write here: that is a warning)
download || { [ "$(id -u)" = 0 ] && apt-get update -qq >/dev/null 2>&1 && download; } || {
 [ "$found" ] || say "apt knows no package $names: run apt-get update"
 say "apt-get download: $(grep '^E:' "$debs/log" | head -n 1)"
}

# usr-merge first, so that /bin, /sbin and /lib land in /usr
for d in bin sbin lib lib64; do mkdir -p "$out/usr/$d"; ln -s "usr/$d" "$out/$d"; done
for deb in "$debs"/*.deb; do
 dpkg-deb --fsys-tarfile "$deb" | tar -x --no-same-owner --keep-directory-symlink -C "$out" || say "cannot unpack ${deb##*/}"
done
rm -rf "$debs"
cd "$out"

ln -sf dash usr/bin/sh
ln -sf mawk usr/bin/awk
ln -sf less usr/bin/pager
cp usr/share/base-passwd/passwd.master etc/passwd
cp usr/share/base-passwd/group.master etc/group
echo 'agent:x:1000:1000:agent:/home/agent:/bin/sh' >>etc/passwd
echo 'agent:x:1000:' >>etc/group
mkdir -p proc sys dev tmp run root home/agent srv usr/local var/tmp
chmod 1777 tmp var/tmp home/agent # engines that refuse uid= for a tmpfs keep this mode
ln -sfn /run var/run
rm -f etc/motd
ln -s /usr/local/etc/motd etc/motd

# nothing setuid, no folder that only root could unpack so; of the documentation only the manual pages
find . -xdev -perm /6000 -exec chmod a-s {} +
chmod 755 var/lock var/local
rm -rf usr/share/doc usr/share/info usr/share/locale usr/share/lintian usr/share/bug usr/share/common-licenses
rm -rf usr/share/man/[a-z][a-z] usr/share/man/[a-z][a-z]_* usr/lib/*/gconv var/cache/ldconfig
find usr/lib/locale -mindepth 1 -maxdepth 1 ! -iname 'C.utf*8' -exec rm -rf {} +

# mandoc calls its man `mman`, goes by its own name alone, and prints overstrikes
rm -f usr/bin/man usr/bin/apropos usr/bin/whatis
cat >usr/bin/man <<'M'
#!/bin/sh
# man [section] name | man -k word: plain text, never a pager; the world's own pages first
case $1 in
-k) shift; exec apropos "$@" ;;
-f) shift; exec mwhatis "$@" ;;
'') echo 'usage: man [section] name | man -k word' >&2; exit 2 ;;
esac
own=/usr/local/share/man
[ -d $own ] && page=$(mman -M $own -c "$@" 2>/dev/null) && [ "$page" ] || page=$(mman -M /usr/share/man -c "$@" 2>/dev/null) || {
 echo "man: no entry for $*" >&2
 exit 1
}
b=$(printf '\b')
printf '%s\n' "$page" | sed "s/.$b//g"
M
cat >usr/bin/apropos <<'M'
#!/bin/sh
# apropos word: the manual pages whose line of description has it; the world's own have no index
b=$(printf '\b')
found=$(
 for page in /usr/local/share/man/man*/*; do
  [ ! -f "$page" ] || mandoc -T ascii "$page" 2>/dev/null | sed "s/.$b//g" |
   awk -v s="${page##*.}" 'n { sub(/^ +/, ""); sub(/ - /, "(" s ") - "); print; exit } /^NAME/ { n = 1 }'
 done | grep -i -e "$1"
 mapropos "$@" 2>/dev/null
)
[ "$found" ] || { echo "$1: nothing appropriate" >&2; exit 1; }
printf '%s\n' "$found"
M
printf '#!/bin/sh\nexec mwhatis "$@"\n' >usr/bin/whatis
# the session's own output is kept open at 8, so that a pipe or $( ) around panic cannot swallow it
cat >usr/bin/panic <<'M'
#!/bin/sh
# panic [why]: end the session as blocked
{ printf '\036panic:%.400s\037' "$*" >&8; } 2>/dev/null || printf '\036panic:%.400s\037' "$*"
exit 86
M
chmod 755 usr/bin/man usr/bin/apropos usr/bin/whatis usr/bin/panic
ln -sf ../bin/mandoc usr/sbin/makewhatis

if command -v bwrap >/dev/null && bwrap --unshare-all --bind "$out" / --proc /proc --dev /dev /bin/true 2>/dev/null; then
 inside() { bwrap --unshare-all --bind "$out" / --proc /proc --dev /dev --chdir / "$@"; }
else
 inside() { chroot "$out" "$@"; }
fi
inside /bin/true || say 'nothing can be started in the new root: install bubblewrap, or run as root'
inside /usr/sbin/makewhatis /usr/share/man >/dev/null 2>&1 || say 'makewhatis failed'
missing=
for tool in dash cat ls cp mv rm mkdir chmod touch head tail sort uniq wc cut tr tee date env timeout chroot stat grep sed \
 awk find xargs diff cmp tar gzip ps kill hostname ed less mandoc; do
 case $tool in
 dash) inside /bin/sh -c 'exit 0' ;;
 awk) inside awk 'BEGIN { exit 0 }' ;;
 kill) inside /usr/bin/kill -l >/dev/null ;;
 mandoc) echo | inside mandoc -T ascii >/dev/null ;; # a chroot has no /dev/null
 # ps --version wants /proc, which a chroot lacks
 ps) ! inside /bin/sh -c 'exec /lib*/ld-linux*.so.? --list /usr/bin/ps' | grep -q 'not found' ;;
 hostname) inside hostname >/dev/null ;;
 *) inside $tool --version >/dev/null ;;
 esac 2>/dev/null || missing="$missing $tool"
done
[ -z "$missing" ] || say "in the new root these do not start:$missing"

[ -z "$tar" ] || tar -C "$out" --sort=name --mtime=@1700000000 --owner=0 --group=0 --numeric-owner --format=gnu -cf "$tar" .
