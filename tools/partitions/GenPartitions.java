import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.nio.file.Files;
import java.nio.file.Path;

import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;

/** KEYS OUT: where Kafka's own producer puts each key among 1 to 50 partitions. */
public class GenPartitions {
    public static void main(String[] args) throws Exception {
        byte[] all = Files.readAllBytes(Path.of(args[0]));
        DataInputStream in = new DataInputStream(new ByteArrayInputStream(all));
        byte[] out = new byte[10000 * 50];
        int at = 0;
        while (in.available() > 0) {
            byte[] key = new byte[in.readUnsignedShort()];
            in.readFully(key);
            for (int n = 1; n <= 50; n++)
                out[at++] = (byte) BuiltInPartitioner.partitionForKey(key, n);
        }
        Files.write(Path.of(args[1]), out);
    }
}
