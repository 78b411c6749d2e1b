#!/bin/sh
# Runs a command behind everything else on this machine: it gets what processor time is left. Ends it when it is ended itself.
set -u
command -v setsid >/dev/null && command -v chrt >/dev/null || exec nice -n 19 "$@"
# Linux shares the cores between sessions first, where it groups them so: a session of its own, of the least weight.
setsid sh -c '{ echo 19 > /proc/self/autogroup; } 2>/dev/null; exec chrt --idle 0 "$@"' behind "$@" &
command=$!
trap 'kill -TERM "-$command" 2>/dev/null' INT TERM HUP
wait "$command"
status=$?
trap - INT TERM HUP
wait "$command" 2>/dev/null
exit "$status"
