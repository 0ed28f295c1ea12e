# Listens on a free port of 127.0.0.1, prints the port, and answers each
# connection in its way: listen.pl http | tls | noise | silent | close
use strict;
use warnings;
use IO::Socket::INET;

my %answer = (
    http => "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    tls => "\x15\x03\x01\x00\x02\x02\x46",
    noise => "\xde\xad\xbe\xef" x 64,
    close => "",
);
my $kind = shift;
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 16)
    or die "listen: $!";
$| = 1;
print $server->sockport, "\n";
my @kept;
while (my $peer = $server->accept) {
    if ($kind eq 'silent') {
        push @kept, $peer;
        next;
    }
    sysread $peer, my $request, 4096;
    syswrite $peer, $answer{$kind};
    close $peer;
}
