// franz produces numbered records with franz-go, a client that shares no code
// with ours, and reads them back. For tests of kw broker.
//
//	franz HOST:PORT,... TOPIC N CODEC
//
// Idempotent, as franz-go is by default: N records with keys, headers and a
// tombstone every hundredth, to three partitions in turn; consumed from each
// partition directly, without a group. Each record must come back once, in
// order, with what it was sent with. Exit status 1 says what was not so.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const partitions = 3

func fail(format string, args ...any) {
	fmt.Printf("franz: "+format+"\n", args...)
	os.Exit(1)
}

func codec(name string) kgo.CompressionCodec {
	switch name {
	case "none":
		return kgo.NoCompression()
	case "gzip":
		return kgo.GzipCompression()
	case "snappy":
		return kgo.SnappyCompression()
	case "lz4":
		return kgo.Lz4Compression()
	case "zstd":
		return kgo.ZstdCompression()
	}
	fail("unknown codec %s", name)
	return kgo.NoCompression()
}

func record(topic string, i int) *kgo.Record {
	r := &kgo.Record{
		Topic:     topic,
		Partition: int32(i % partitions),
		Key:       []byte(strconv.Itoa(i)),
		Value:     fmt.Appendf(nil, "value %d", i),
		Headers:   []kgo.RecordHeader{{Key: "n", Value: []byte(strconv.Itoa(i))}, {Key: "null"}},
		Timestamp: time.UnixMilli(1700000000000 + int64(i)),
	}
	if i%100 == 0 {
		r.Value = nil
	}
	return r
}

func produce(ctx context.Context, broker, topic string, n int, compression kgo.CompressionCodec) {
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(broker, ",")...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(compression), kgo.ProducerLinger(5*time.Millisecond),
		kgo.ProducerBatchMaxBytes(8192), kgo.MetadataMinAge(50*time.Millisecond))
	if err != nil {
		fail("%v", err)
	}
	defer client.Close()
	failed := make(chan error, n)
	for i := range n {
		client.Produce(ctx, record(topic, i), func(r *kgo.Record, err error) {
			if err != nil {
				failed <- fmt.Errorf("record %s: %w", r.Key, err)
			} else if r.ProducerID < 0 {
				failed <- fmt.Errorf("record %s has no producer id", r.Key)
			}
		})
	}
	if err := client.Flush(ctx); err != nil {
		fail("flush: %v", err)
	}
	select {
	case err := <-failed:
		fail("produce: %v", err)
	default:
	}
}

// compare ends the program unless got is the record that was sent as number i.
func compare(got *kgo.Record, topic string, i int) {
	want := record(topic, i)
	if string(got.Key) != string(want.Key) || string(got.Value) != string(want.Value) ||
		(got.Value == nil) != (want.Value == nil) || !got.Timestamp.Equal(want.Timestamp) ||
		len(got.Headers) != 2 || string(got.Headers[0].Value) != string(want.Headers[0].Value) ||
		got.Headers[1].Value != nil {
		fail("partition %d offset %d: got %v, not %v", got.Partition, got.Offset, got, want)
	}
}

func consume(ctx context.Context, broker, topic string, n int) {
	var next [partitions]int
	from := map[int32]kgo.Offset{}
	for p := range int32(partitions) {
		from[p] = kgo.NewOffset().AtStart()
		next[p] = int(p)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(broker, ",")...),
		kgo.FetchMaxPartitionBytes(8192), kgo.MetadataMinAge(50*time.Millisecond),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))
	if err != nil {
		fail("%v", err)
	}
	defer client.Close()
	for seen := 0; seen < n; {
		fetches := client.PollFetches(ctx)
		fetches.EachError(func(t string, p int32, err error) { fail("fetch %s/%d: %v", t, p, err) })
		fetches.EachRecord(func(r *kgo.Record) {
			if int(r.Offset) != next[r.Partition]/partitions {
				fail("partition %d: offset %d, not %d", r.Partition, r.Offset, next[r.Partition]/partitions)
			}
			compare(r, topic, next[r.Partition])
			next[r.Partition] += partitions
			seen++
		})
	}
	// One record too many would come now.
	short, cancel := context.WithTimeout(ctx, 700*time.Millisecond)
	defer cancel()
	client.PollFetches(short).EachRecord(func(r *kgo.Record) {
		fail("partition %d offset %d: one record too many", r.Partition, r.Offset)
	})
}

func main() {
	if len(os.Args) != 5 {
		fail("usage: franz HOST:PORT,... TOPIC N CODEC")
	}
	broker, topic := os.Args[1], os.Args[2]
	n, err := strconv.Atoi(os.Args[3])
	if err != nil || n < 1 {
		fail("N is a number above 0")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	produce(ctx, broker, topic, n, codec(os.Args[4]))
	consume(ctx, broker, topic, n)
	fmt.Printf("franz: %d records, %s, written and read\n", n, os.Args[4])
}
