#!/bin/sh
# Puts the program where the action's other steps find it, and on the PATH of the job's later steps; or says why it
# cannot. Nothing is run whose hash has not been checked.
#
# In, by the environment:
#   K8S_LOCK_ACTION_FOLDER         this invocation's private folder, made by the action's first step
#   K8S_LOCK_ACTION_BINARY         the input `binary`: one file on the machine to take instead of a download; may be empty
#   K8S_LOCK_ACTION_VERSION        the input `version`: 4.0.1 or v4.0.1; may be empty. Another version than the action's
#                                  own needs the next one too
#   K8S_LOCK_ACTION_SHA256         the input `sha256`: of the archive for this system (with `binary`: of that file); may be
#                                  empty
#   K8S_LOCK_ACTION_DOWNLOAD_URL   the input `download_url`: what stands before /vVERSION/ARCHIVE in place of
#                                  https://github.com/OWNER/REPO/releases/download; may be empty
#   K8S_LOCK_ACTION_STALL_SECONDS  how long a download may stand still; 30 if empty
#   RUNNER_TOOL_CACHE              archives are kept there from job to job, except on GitHub's own runners, which keep nothing
#   GITHUB_PATH                    the runner's file for what goes on PATH
# Out: $K8S_LOCK_ACTION_FOLDER/bin/k8s-lock (k8s-lock.exe on Windows), which nothing else of the job touches; exit 0. Or
#   one error, as an annotation on GitHub, and exit 1 (130, 143 after a signal). There whole or not at all.
#
# The version and the hashes stand in release.txt beside this file, so pinning the action pins the binary. They are
# never taken from the ref of the action, which may be a branch, a SHA or empty. No token is sent to anybody.
# Needs curl or GNU wget, tar, gzip and one of sha256sum, shasum, openssl. Plain sh: Alpine, which is refused, has no bash.
set -eu

# say LEVEL MESSAGE: an annotation on GitHub, plain text elsewhere. What others wrote cannot begin a command of its own.
say() {
  if [ "${GITHUB_ACTIONS:-}" = true ]; then
    printf '::%s title=k8s-lock::%s\n' "$1" "$(printf '%s' "$2" | escaped)"
  else
    printf 'k8s-lock: %s: %s\n' "$1" "$(printf '%s' "$2" | tr '\r\n\033' '   ')" >&2
  fi
}

escaped() {
  tr '\r\n\033' '   ' | sed 's/%/%25/g'
}

fail() {
  say error "$1"
  exit 1
}

# The download's process is waited for in the background: a shell runs its trap only when nothing is in the foreground.
child=''
work=''
clean_up() {
  [ -z "$child" ] || kill "$child" 2>/dev/null || :
  [ -z "$work" ] || rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# posix PATH: a Windows path as the shell's tools want it.
posix() {
  if command -v cygpath >/dev/null 2>&1; then cygpath -u "$1"; else printf '%s\n' "$1"; fi
}

# From standard input, or GNU's tool puts a backslash before the hash of a file with an odd name.
sha256_of() {
  case $hasher in
    sha256sum) sha256sum <"$1" ;;
    shasum) shasum -a 256 <"$1" ;;
    openssl) openssl dgst -sha256 -r <"$1" ;;
  esac | cut -c 1-64
}

# Sets `hasher`.
find_hasher() {
  for hasher in sha256sum shasum openssl; do
    ! command -v $hasher >/dev/null 2>&1 || return 0
  done
  fail "cannot check the download: this machine has none of sha256sum, shasum and openssl. Install one, or give the input \`binary\`, the path of a k8s-lock that is already there."
}

is_sha256() {
  [ "${#1}" -eq 64 ] && case $1 in *[!0-9a-f]*) false ;; esac
}

size_of() {
  wc -c <"$1" | tr -d ' '
}

# Sets `platform` and `suffix`.
find_platform() {
  suffix=''
  machine=$(uname -m)
  case $(uname -s) in
    Linux)
      system=linux
      # A 32-bit system may run on a 64-bit kernel, of which `uname` speaks.
      [ "$(getconf LONG_BIT 2>/dev/null || echo 64)" = 64 ] || machine="32-bit system on $machine"
      ;;
    Darwin) system=macos ;;
    MINGW* | MSYS* | CYGWIN*)
      system=windows suffix=.exe
      # Git's bash is itself emulated on ARM, and `uname` says x86_64 there.
      machine=${RUNNER_ARCH:-$machine}
      ;;
    *) fail "there is no k8s-lock for the system $(uname -s): only for Linux, macOS and Windows. With Node.js 22.13 or newer, \`npx k8s-lock\` is the same program." ;;
  esac
  case $machine in
    x86_64 | amd64 | X64) platform=$system-x64 ;;
    aarch64 | arm64 | ARM64) platform=$system-arm64 ;;
    *) fail "there is no k8s-lock for the architecture $machine: only for x64 and arm64. With Node.js 22.13 or newer, \`npx k8s-lock\` is the same program." ;;
  esac
  [ "$system" != linux ] || [ -n "${K8S_LOCK_ACTION_BINARY:-}" ] || ! is_musl ||
    fail "this is a musl system (such as Alpine), and the k8s-lock binary needs glibc: use an image of Debian, Ubuntu or another system with glibc, or \`apk add nodejs npm\` and \`npx k8s-lock\`, which is the same program on Node.js 22.13 or newer."
}

is_musl() {
  if command -v ldd >/dev/null 2>&1; then
    # musl's own ldd says "musl libc" and fails.
    said=$(ldd --version 2>&1 || :)
    case $said in *musl*) return 0 ;; *) return 1 ;; esac
  fi
  # Debian's package of musl puts its loader beside glibc's.
  for loader in /lib64/ld-linux-* /lib/ld-linux-* /lib/*/ld-linux-*; do
    [ ! -e "$loader" ] || return 1
  done
  for loader in /lib/ld-musl-*; do
    [ ! -e "$loader" ] || return 0
  done
  return 1
}

# Sets `repository`, `version`, `sha256` and `size` (of this platform; empty where they are not known).
read_release() {
  repository='' version='' sha256='' size=''
  while read -r key value more || [ -n "$key" ]; do
    case $key in
      repository) repository=$value ;;
      version) version=$value ;;
      "$platform") sha256=$value size=$more ;;
    esac
  done <"$here/release.txt"
  wanted=${K8S_LOCK_ACTION_VERSION:-}
  wanted=${wanted#v}
  given=$(printf '%s' "${K8S_LOCK_ACTION_SHA256:-}" | tr 'A-F' 'a-f')
  [ -z "$given" ] || is_sha256 "$given" || fail "the input \`sha256\` is not a SHA-256, which is 64 hexadecimal digits."
  case $wanted in
    '') ;;
    # It becomes part of an address and of a path.
    *[!0-9A-Za-z.+-]* | *..* | [!0-9]*) fail "the input \`version\` is not a version: write it as 4.0.1, or leave it out: the action brings its own." ;;
  esac
  if [ "$version" = unreleased ] && { [ -z "$wanted" ] || [ -z "$given" ]; }; then
    fail "this is the action of a branch or of a fork, not of a release: it knows no version and no hash to check a download by. Use a release (\`uses: $repository@v4\`, or the full SHA of a release's commit), or give the input \`binary\`, the path of a k8s-lock that is already there, or both \`version\` and \`sha256\`."
  fi
  if [ -n "$wanted" ] && [ "$wanted" != "$version" ]; then
    [ -n "$given" ] || fail "this action brings k8s-lock $version and knows the hashes of that version only, so it cannot check $wanted. Use the action of that version (\`uses: $repository@v$wanted\`), or give the input \`sha256\` as well: the hash of $archive in SHA256SUMS of that release."
    version=$wanted sha256='' size=''
  fi
  [ -z "$given" ] || [ "$given" = "$sha256" ] || { sha256=$given size=''; }
  is_sha256 "$sha256" || fail "k8s-lock $version was not published for $platform."
}

# The address without a user's name and password, for messages.
shown() {
  printf '%s' "$1" | sed 's|//[^/]*@|//|'
}

# fetch URL FILE: one try. 0: it is there; 1: to be tried again; 2: not. `why` says what happened.
fetch() {
  stall=${K8S_LOCK_ACTION_STALL_SECONDS:-30}
  rm -f "$2"
  if command -v curl >/dev/null 2>&1; then
    # The address by standard input: an argument is there for all users of the machine to read.
    printf 'url = "%s"\n' "$1" | curl --silent --show-error --location --fail --globoff --proto "=$protocols" --proto-redir "=$protocols" \
      --tlsv1.2 --connect-timeout "$stall" --speed-limit 1 --speed-time "$stall" --output "$2" \
      --write-out '%{http_code}' --config - >"$work/status" 2>"$work/said" &
  elif wget --version 2>/dev/null | grep -q 'GNU Wget'; then
    # BusyBox has one of other options.
    tls=''
    [ "$protocols" != https ] || tls='--https-only'
    # shellcheck disable=SC2086 # one option or none
    printf '%s\n' "$1" | wget $tls --secure-protocol=TLSv1_2 --tries=1 --timeout="$stall" --server-response --output-document="$2" \
      --input-file=- >/dev/null 2>"$work/said" &
  else
    why='this machine has neither curl nor GNU wget: install one'
    return 2
  fi
  child=$!
  code=0
  wait "$child" || code=$?
  child=''
  if ! command -v curl >/dev/null 2>&1; then
    sed -n 's/^ *HTTP\/[0-9.]* \([0-9]*\).*/\1/p' "$work/said" | tail -n 1 >"$work/status"
  fi
  status=$(cat "$work/status")
  if [ "$code" -eq 0 ]; then
    if [ -n "$size" ] && [ "$(size_of "$2")" -lt "$size" ]; then
      why="the download is truncated: $(size_of "$2") of $size bytes"
      return 1
    fi
    return 0
  fi
  case $status in
    404 | 410) why="there is no such file (HTTP $status)" && return 2 ;;
    408 | 429 | 5??) why="the server answered HTTP $status" && return 1 ;;
    4??) why="the server refuses (HTTP $status)" && return 2 ;;
    2??)
      got=0
      [ ! -e "$2" ] || got=$(size_of "$2")
      why="the download was cut off: $got${size:+ of $size} bytes"
      return 1
      ;;
    *) why=$(grep -v '^ *$' "$work/said" | tail -n 1) && why="no answer (${why:-exit code $code})" && return 1 ;;
  esac
}

# download URL FILE: several tries, for a network fails for a moment more often than for long.
download() {
  for pause in 1 2 4 8 0; do
    result=0
    fetch "$1" "$2" || result=$?
    [ "$result" -ne 0 ] || return 0
    if [ "$result" -eq 2 ] || [ "$pause" -eq 0 ]; then break; fi
    printf 'k8s-lock: %s; trying again in %s s\n' "$(printf '%s' "$why" | tr '\r\n\033' '   ')" "$pause"
    sleep "$pause" &
    child=$!
    wait "$child" || :
    child=''
  done
  fail "cannot download k8s-lock $version: $why. Address: $(shown "$1"). Where the internet cannot be reached, give the input \`download_url\` (a mirror) or \`binary\` (the path of a k8s-lock that is already there)."
}

# Puts the archive, checked, at $work/$archive.
get_archive() {
  base=${K8S_LOCK_ACTION_DOWNLOAD_URL:-https://github.com/$repository/releases/download}
  protocols=https
  case $base in
    *[[:space:]\"\\]*) fail "the input \`download_url\` has a blank, a quote or a backslash in it: write it as an address, https://mirror.example.com/k8s-lock" ;;
    https://?*) ;;
    # The hash says what it is worth: a mirror inside a company may have no certificate.
    http://?*) protocols=http,https ;;
    *) fail "the input \`download_url\` is not an address that begins with https:// or http://" ;;
  esac
  case $base in */OWNER/REPO/*) fail "this action does not know where it is published: give the input \`download_url\` as well." ;; esac
  url=${base%/}/v$version/$archive
  cached=''
  if [ -n "${RUNNER_TOOL_CACHE:-}" ] && [ "${RUNNER_ENVIRONMENT:-}" != github-hosted ]; then
    cached=$(posix "$RUNNER_TOOL_CACHE")/k8s-lock/$version/${platform#*-}/$archive
  fi
  # Copied first and checked then: what lies in a cache that others write to may change in between, and may be a pipe without an end.
  if [ -f "$cached" ] && cp "$cached" "$work/$archive" 2>/dev/null; then
    if [ "$(sha256_of "$work/$archive")" = "$sha256" ]; then
      echo "k8s-lock $version: from the tool cache"
      return
    fi
    say warning "the file in the tool cache is not the published one, so it is not used and is replaced: $cached"
  fi
  download "$url" "$work/$archive"
  hash=$(sha256_of "$work/$archive")
  if [ "$hash" != "$sha256" ]; then
    page=''
    case $(head -c 1 "$work/$archive") in '<') page=' It looks like a web page: of a proxy, or a login?' ;; esac
    fail "what was downloaded is NOT the k8s-lock $version that this action was published with, and was not run: its SHA-256 is $hash, and should be $sha256.$page Address: $(shown "$url")"
  fi
  echo "k8s-lock $version: downloaded, SHA-256 $sha256"
  if [ -n "$cached" ]; then
    # Renamed into its place whole, from a name that nobody else has. A cache that cannot be written to is no reason to fail.
    draft=''
    { mkdir -p "${cached%/*}" && draft=$(mktemp "$cached.XXXXXX") && cp "$work/$archive" "$draft" && chmod 644 "$draft" &&
      mv -f "$draft" "$cached"; } 2>/dev/null ||
      { rm -f "$draft" && echo "k8s-lock: the tool cache cannot be written to, so it is downloaded again next time"; }
  fi
}

take_binary() {
  file=$(posix "$K8S_LOCK_ACTION_BINARY")
  [ -f "$file" ] ||
    fail "the input binary names $K8S_LOCK_ACTION_BINARY, which is no file on this runner. Put the program there, or leave the input out to have it downloaded."
  # A copy: what the job does with the original later (a cleaned tool cache) must not keep the lock from being given back.
  cp "$file" "$program" || fail "cannot copy what the input \`binary\` names: $K8S_LOCK_ACTION_BINARY"
  if [ -n "${K8S_LOCK_ACTION_SHA256:-}" ]; then
    hash=$(sha256_of "$program")
    [ "$hash" = "$(printf '%s' "$K8S_LOCK_ACTION_SHA256" | tr 'A-F' 'a-f')" ] ||
      fail "what the input \`binary\` names has not the SHA-256 of the input \`sha256\`, and was not run: it is $hash. $K8S_LOCK_ACTION_BINARY"
  fi
}

[ -n "${K8S_LOCK_ACTION_FOLDER:-}" ] || fail 'K8S_LOCK_ACTION_FOLDER is not set.'
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
folder=$(posix "$K8S_LOCK_ACTION_FOLDER")/bin
mkdir -p "$folder" || fail "cannot make the folder $folder"
# Beside its place, so that it is renamed into it and not copied.
work=$(mktemp -d "${folder%/*}/install-XXXXXX") || fail "cannot write to the folder ${folder%/*}"
find_platform
find_hasher
archive=k8s-lock-$platform.tar.gz
program=$work/k8s-lock$suffix

if [ -n "${K8S_LOCK_ACTION_BINARY:-}" ]; then
  take_binary
else
  read_release
  get_archive
  # By relative names: GNU tar takes what stands before a colon for a host, and so a Windows path.
  (cd "$work" && tar -xzf "$archive" "k8s-lock$suffix") ||
    fail "cannot unpack $archive, although it is the published one: is the disk full? Are tar and gzip installed?"
fi
chmod 755 "$program"
said=$("$program" --version 2>&1) ||
  fail "k8s-lock is installed and does not run on this machine: $(printf '%s' "$said" | head -n 3)"
said=$(printf '%s' "$said" | tr -d '\r\033' | head -n 1)
if [ -z "${K8S_LOCK_ACTION_BINARY:-}" ] && [ "$said" != "$version" ]; then
  fail "the published archive of $version has a k8s-lock in it that says it is $said: please report that."
fi
mv -f "$program" "$folder/k8s-lock$suffix"
if [ -n "${GITHUB_PATH:-}" ]; then
  if command -v cygpath >/dev/null 2>&1; then cygpath -w "$folder"; else printf '%s\n' "$folder"; fi >>"$GITHUB_PATH"
fi
echo "k8s-lock $said is installed."
