/* Group.java -- bench/bench_group.c over the Java client, with the same words and output;
 * a thread for each member, as that client wants it.
 *
 *   java -cp 'JARS/*' Group.java first|members ... */
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public class Group {
    static String[] args;
    static int settings;
    static AtomicIntegerArray owned; // -1: left

    static KafkaConsumer<byte[], byte[]> open(String group) {
        Properties p = new Properties();
        p.put("bootstrap.servers", args[1]);
        p.put("group.id", group);
        p.put("auto.offset.reset", "earliest");
        p.put("key.deserializer", ByteArrayDeserializer.class.getName());
        p.put("value.deserializer", ByteArrayDeserializer.class.getName());
        for (int i = settings; i < args.length; i++) {
            int eq = args[i].indexOf('=');
            p.put(args[i].substring(0, eq), args[i].substring(eq + 1));
        }
        KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(p);
        consumer.subscribe(List.of(args[2]));
        return consumer;
    }

    static double since(long begin) {
        return (System.nanoTime() - begin) / 1e6;
    }

    static double first(String group) {
        long begin = System.nanoTime();
        try (KafkaConsumer<byte[], byte[]> consumer = open(group)) {
            while (consumer.poll(Duration.ofMillis(100)).isEmpty())
                if (since(begin) > 60000)
                    throw new RuntimeException("no record came in a minute");
            return since(begin);
        }
    }

    static class Member extends Thread {
        final int index;
        final String group;
        volatile boolean stop;

        Member(int index, String group) {
            this.index = index;
            this.group = group;
            owned.set(index, 0);
            start();
        }

        public void run() {
            try (KafkaConsumer<byte[], byte[]> consumer = open(group)) {
                while (!stop) {
                    consumer.poll(Duration.ofMillis(100));
                    owned.set(index, consumer.assignment().size());
                }
                owned.set(index, -1);
            }
        }

        void end() throws InterruptedException {
            stop = true;
            join();
        }
    }

    static double shared(long begin, int partitions) throws InterruptedException {
        for (;;) {
            int sum = 0, n = 0, least = partitions;
            for (int i = 0; i < owned.length(); i++) {
                int has = owned.get(i);
                if (has < 0)
                    continue;
                n++;
                sum += has;
                least = Math.min(least, has);
            }
            if (n > 0 && sum == partitions && least >= partitions / n)
                return since(begin);
            if (since(begin) > 60000)
                throw new RuntimeException("no equal shares in a minute");
            Thread.sleep(1);
        }
    }

    static void members(String group, int n, int partitions) throws InterruptedException {
        owned = new AtomicIntegerArray(n);
        List<Member> members = new ArrayList<>();
        long begin = System.nanoTime();
        for (int i = 0; i < n; i++)
            members.add(new Member(i, group));
        System.out.printf("together %.1f%n", shared(begin, partitions));
        begin = System.nanoTime();
        members.get(0).end();
        System.out.printf("leave %.1f%n", shared(begin, partitions));
        begin = System.nanoTime();
        members.set(0, new Member(0, group));
        System.out.printf("join %.1f%n", shared(begin, partitions));
        for (Member member : members)
            member.stop = true;
        for (Member member : members)
            member.join();
    }

    public static void main(String[] words) throws Exception {
        args = words;
        boolean many = args[0].equals("members");
        settings = many ? 7 : 5;
        int rounds = Integer.parseInt(args[settings - 1]);
        for (int i = 0; i < rounds; i++) {
            String group = args[3] + "-" + i;
            if (many)
                members(group, Integer.parseInt(args[4]), Integer.parseInt(args[5]));
            else
                System.out.printf("first %.1f%n", first(group));
        }
    }
}
