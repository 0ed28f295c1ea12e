// KEYS OUT: where Sarama's default partitioner puts each key among 1 to 50 partitions.
package main

import (
	"encoding/binary"
	"log"
	"os"

	"github.com/IBM/sarama"
)

func main() {
	keys, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	var out []byte
	partitioner := sarama.NewHashPartitioner("t")
	for len(keys) > 0 {
		end := 2 + int(binary.BigEndian.Uint16(keys))
		message := &sarama.ProducerMessage{Key: sarama.ByteEncoder(keys[2:end])}
		keys = keys[end:]
		for n := int32(1); n <= 50; n++ {
			p, err := partitioner.Partition(message, n)
			if err != nil {
				log.Fatal(err)
			}
			out = append(out, byte(p))
		}
	}
	if err := os.WriteFile(os.Args[2], out, 0o644); err != nil {
		log.Fatal(err)
	}
}
