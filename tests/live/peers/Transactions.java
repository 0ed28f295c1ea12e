/* Writes a log with transactions, by Kafka's own producer: one for each codec, whose
 * committed and aborted transactions overlap, and one without transactions between them.
 *
 *   java -cp 'JARS/*' Transactions.java BROKER TOPIC mixed SEED STEPS
 *   java -cp 'JARS/*' Transactions.java BROKER TOPIC hang
 *
 * hang: leaves a transaction open behind 3 records and in front of 2, and ends at once. */
import java.util.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.serialization.StringSerializer;

public class Transactions {
    static final String[] CODECS = {"none", "gzip", "snappy", "lz4", "zstd"};
    static String topic;

    static KafkaProducer<String, String> producer(String broker, String codec, String id) {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", broker);
        config.put("compression.type", codec);
        config.put("linger.ms", 1000); // flush() decides what a batch is
        if (id != null) {
            config.put("transactional.id", topic + "-" + id);
            config.put("transaction.timeout.ms", 600000);
        }
        var made = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
        if (id != null) made.initTransactions();
        return made;
    }

    static void say(KafkaProducer<String, String> producer, String text, int n) {
        for (int i = 0; i < n; i++)
            producer.send(new ProducerRecord<>(topic, 0, null, text + "-" + i + "-" + "x".repeat(i % 7 * 30)));
        producer.flush();
    }

    static void mixed(String broker, long seed, int steps) {
        var random = new Random(seed);
        var plain = producer(broker, "lz4", null);
        var all = new ArrayList<KafkaProducer<String, String>>();
        var open = new boolean[CODECS.length];
        for (String codec : CODECS) all.add(producer(broker, codec, codec));
        for (int i = 0; i < steps; i++) {
            int k = random.nextInt(CODECS.length);
            var one = all.get(k);
            if (random.nextInt(4) == 0) {
                say(plain, "plain-" + i, 1 + random.nextInt(3));
            } else if (open[k] && random.nextInt(3) == 0) {
                if (random.nextBoolean()) one.commitTransaction();
                else one.abortTransaction();
                open[k] = false;
            } else {
                if (!open[k]) one.beginTransaction();
                open[k] = true;
                say(one, CODECS[k] + "-" + i, 1 + random.nextInt(20));
            }
        }
        // More of aborted records than one fetch brings.
        if (!open[0]) all.get(0).beginTransaction();
        for (int i = 0; i < 4000; i++) all.get(0).send(new ProducerRecord<>(topic, 0, null, "y".repeat(1000)));
        all.get(0).flush(); // what was not sent would be dropped
        all.get(0).abortTransaction();
        for (int k = 1; k < CODECS.length; k++) {
            if (open[k] && k % 2 == 0) all.get(k).commitTransaction();
            else if (open[k]) all.get(k).abortTransaction();
        }
        for (var one : all) one.close();
        plain.close();
    }

    public static void main(String[] args) {
        topic = args[1];
        if (args[2].equals("mixed")) {
            mixed(args[0], Long.parseLong(args[3]), Integer.parseInt(args[4]));
            return;
        }
        var plain = producer(args[0], "none", null);
        var hangs = producer(args[0], "none", "hangs");
        say(plain, "before", 3);
        hangs.beginTransaction();
        say(hangs, "open", 2);
        say(plain, "behind", 2);
        Runtime.getRuntime().halt(0); // close() would abort it
    }
}
