// kmsg -- encode and decode of franz-go's generated codec, on the messages that
// bench_codec wrote: kmsg FOLDER. Prints "MESSAGE encode|decode NS", the least of
// five rounds. Its decoder builds all structs; its encoder gets a buffer that is
// large enough. What it writes must be what it read.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

type message interface {
	SetVersion(int16)
	ReadFrom([]byte) error
	AppendTo([]byte) []byte
}

// User and system time of the process: the collector's threads count.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		os.Exit(1)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// About 100 ms a round.
func least(run func()) float64 {
	times, best := 1, 0.0
	for start := cpu(); cpu()-start < 50*time.Millisecond; times *= 2 {
		for i := 0; i < times; i++ {
			run()
		}
	}
	for round := 0; round < 5; round++ {
		start := cpu()
		for i := 0; i < times; i++ {
			run()
		}
		ns := float64((cpu() - start).Nanoseconds()) / float64(times)
		if round == 0 || ns < best {
			best = ns
		}
	}
	return best
}

func main() {
	cases := []struct {
		name    string
		version int16
		make    func() message
	}{
		{"produce-request", 12, func() message { return kmsg.NewPtrProduceRequest() }},
		{"fetch-response", 12, func() message { return kmsg.NewPtrFetchResponse() }},
		{"metadata-response", 12, func() message { return kmsg.NewPtrMetadataResponse() }},
		{"heartbeat-request", 4, func() message { return kmsg.NewPtrHeartbeatRequest() }},
		{"heartbeat-response", 4, func() message { return kmsg.NewPtrHeartbeatResponse() }},
	}
	for _, c := range cases {
		wire, err := os.ReadFile(filepath.Join(os.Args[1], c.name))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		given := c.make()
		given.SetVersion(c.version)
		if err := given.ReadFrom(wire); err != nil || !bytes.Equal(given.AppendTo(nil), wire) {
			fmt.Fprintln(os.Stderr, c.name, "is not read as it was written:", err)
			os.Exit(1)
		}
		out := make([]byte, 0, 2*len(wire)+64)
		fmt.Printf("%s encode %.1f\n", c.name, least(func() { given.AppendTo(out) }))
		fmt.Printf("%s decode %.1f\n", c.name, least(func() {
			m := c.make()
			m.SetVersion(c.version)
			if m.ReadFrom(wire) != nil {
				os.Exit(1)
			}
		}))
	}
}
