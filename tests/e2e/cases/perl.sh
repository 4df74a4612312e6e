#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# needs: /usr/bin/perl
use strict; use warnings; use POSIX qw(:sys_wait_h); use File::Temp qw(tempdir); use Socket; use IO::Handle;
STDOUT->autoflush(1);
my %h = map { $_ => length } qw(one three five);
print join(",", map { "$_=$h{$_}" } sort keys %h), "\n";
my $d = tempdir(CLEANUP => 1);
open(my $f, ">", "$d/x") or die; print $f "line $_\n" for 1 .. 100; close $f;
open($f, "<", "$d/x") or die; my @l = grep { /7/ } <$f>; close $f;
print scalar(@l), " $l[0]";
my $pid = fork; if (!$pid) { exit 6 } waitpid($pid, 0); print "exit ", WEXITSTATUS($?), "\n";
pipe(my $r, my $w); $pid = fork;
if (!$pid) { close $r; print $w "from child\n"; exit 0 }
close $w; print scalar <$r>; waitpid($pid, 0);
print `echo backtick; exit 2`; print "status ", $? >> 8, "\n";
my $n = 0; $SIG{USR1} = sub { $n++ }; kill "USR1", $$ for 1 .. 3; print "signals ", $n > 0, "\n";
$SIG{ALRM} = sub { die "alarm\n" }; alarm 1; eval { select(undef, undef, undef, 10) }; print $@;
socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die; syswrite($a, "sock"); sysread($b, my $buf, 10); print "$buf\n";
printf "%.6f %s\n", atan2(1, 1) * 4, sprintf("%b", 37);
my $s = join "", map { chr(97 + $_ % 26) } 1 .. 100000; print length($s), " ", unpack("%32C*", $s), "\n";
exit 3;
