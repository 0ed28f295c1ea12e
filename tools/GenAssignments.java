import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.GroupSubscription;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.clients.consumer.internals.ConsumerProtocol;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;

/**
 * Records what the assignors of Kafka's Java client make of groups: writes
 * tests/vectors/assign.inc, one line a case in the form of tests/assign/bed.h.
 * tools/assignments.sh runs this; the same seed gives the same file. With more arguments
 * (FILE TIMES [SEED]) it writes so many times as many cases as plain lines, for
 * KW_ASSIGN_LINES=FILE of tests/assign/test_java.c.
 *
 * Groups live for several rounds: members join, leave, sleep through generations and
 * change what they subscribe to, topics appear and grow. The members' subscriptions go
 * through Kafka's own bytes, in the version that the case says.
 *
 * Not recorded, but counted on the standard error: where Java throws, gives a partition
 * to a member that does not subscribe to it, or decides by the order of its hash tables
 * what ours decides by a rule (docs/decisions/0015). Each case is also run with its
 * members put in in other orders, and how often that changes the result is counted too.
 */
public class GenAssignments {
    static final int ROUNDS = 4;
    static final Random random = new Random(20251129);
    static final Map<String, Integer> dropped = new TreeMap<>(), kept = new TreeMap<>();
    static int shuffledDiffer, shuffled;

    static class Member {
        String id, instance = "";
        int rack = -1, generation = -1;
        TreeSet<String> topics = new TreeSet<>();
        TreeSet<String> claims = new TreeSet<>(); /* "topic/0000012" */
        String user = "";                         /* as in bed.h */
        boolean oldVersion;
    }

    static class Topic {
        int n;
        List<String> racks; /* null: none */
    }

    static class Group {
        String assignor;
        TreeMap<String, Topic> topics = new TreeMap<>();
        TreeMap<String, Member> members = new TreeMap<>();
        int generation = 1;
    }

    static int below(int n) { return random.nextInt(n); }
    static boolean chance(int percent) { return below(100) < percent; }

    static String claim(String topic, int p) { return topic + "/" + String.format("%07d", p); }
    static String topicOf(String claim) { return claim.substring(0, claim.lastIndexOf('/')); }
    static int partitionOf(String claim) { return Integer.parseInt(claim.substring(claim.lastIndexOf('/') + 1)); }

    /* ---- bytes ------------------------------------------------------------------ */

    static ByteBuffer stickyData(Member m, boolean withGeneration, int generation) {
        TreeMap<String, List<Integer>> byTopic = new TreeMap<>();
        for (String c : m.claims) byTopic.computeIfAbsent(topicOf(c), k -> new ArrayList<>()).add(partitionOf(c));
        ByteBuffer out = ByteBuffer.allocate(1 << 13);
        out.putInt(byTopic.size());
        byTopic.forEach((topic, list) -> {
            byte[] name = topic.getBytes(java.nio.charset.StandardCharsets.UTF_8);
            out.putShort((short) name.length).put(name).putInt(list.size());
            list.forEach(out::putInt);
        });
        if (withGeneration) out.putInt(generation);
        return out.flip();
    }

    /* -1: it has none. */
    static int userGeneration(Member m) {
        if (m.user.startsWith("0")) return -1;
        return m.user.length() > 1 ? Integer.parseInt(m.user.substring(1)) : m.generation;
    }

    static Subscription subscription(Member m) {
        ByteBuffer user = null;
        List<TopicPartition> owned = new ArrayList<>();
        char kind = m.user.isEmpty() ? ' ' : m.user.charAt(0);
        if (kind == '0' || kind == '1') user = stickyData(m, kind == '1', userGeneration(m));
        if (kind == 'c') user = ByteBuffer.allocate(4).putInt(userGeneration(m)).flip();
        if (kind == 'x') user = ByteBuffer.wrap(java.util.HexFormat.of().parseHex(m.user.substring(1)));
        if (kind != '0' && kind != '1')
            for (String c : m.claims) owned.add(new TopicPartition(topicOf(c), partitionOf(c)));
        Subscription sub = new Subscription(new ArrayList<>(m.topics), user, owned, m.generation,
            m.rack < 0 ? Optional.empty() : Optional.of("" + (char) ('a' + m.rack)));
        Subscription read = ConsumerProtocol.deserializeSubscription(
            ConsumerProtocol.serializeSubscription(sub, (short) (m.oldVersion ? 1 : 3)));
        read.setGroupInstanceId(m.instance.isEmpty() ? Optional.empty() : Optional.of(m.instance));
        return read;
    }

    static Cluster cluster(Group g) {
        List<PartitionInfo> infos = new ArrayList<>();
        List<Node> nodes = new ArrayList<>();
        for (int r = 0; r < 26; r++) nodes.add(new Node(r, "h" + r, 9092, "" + (char) ('a' + r)));
        Node without = new Node(26, "h26", 9092);
        nodes.add(without);
        g.topics.forEach((name, topic) -> {
            for (int p = 0; p < topic.n; p++) {
                String word = topic.racks == null ? "." : topic.racks.get(p);
                Node[] replicas = word.chars().mapToObj(c -> c == '.' ? without : nodes.get(c - 'a')).toArray(Node[]::new);
                infos.add(new PartitionInfo(name, p, replicas.length > 0 ? replicas[0] : null, replicas, replicas));
            }
        });
        return new Cluster("c", nodes, infos, Set.of(), Set.of());
    }

    static ConsumerPartitionAssignor assignor(String name) {
        switch (name) {
        case "range": return new RangeAssignor();
        case "roundrobin": return new RoundRobinAssignor();
        case "sticky": return new StickyAssignor();
        default: return new CooperativeStickyAssignor();
        }
    }

    static Map<String, List<TopicPartition>> run(Group g, List<String> order) {
        Map<String, Subscription> subscriptions = new HashMap<>();
        for (String id : order) subscriptions.put(id, subscription(g.members.get(id)));
        Map<String, List<TopicPartition>> result = new TreeMap<>();
        assignor(g.assignor).assign(cluster(g), new GroupSubscription(subscriptions)).groupAssignment()
            .forEach((id, assignment) -> result.put(id, assignment.partitions()));
        return result;
    }

    /* ---- one case ---------------------------------------------------------------- */

    static String ranges(Group g, Member m) {
        List<String> names = new ArrayList<>(g.topics.keySet()), out = new ArrayList<>();
        String topic = null;
        int first = -1, last = -1;
        for (String c : m.claims) {
            int p = partitionOf(c);
            if (topicOf(c).equals(topic) && p == last + 1) {
                last = p;
                continue;
            }
            if (topic != null) out.add(names.indexOf(topic) + "." + first + (last > first ? "-" + last : ""));
            topic = topicOf(c);
            first = last = p;
        }
        if (topic != null) out.add(names.indexOf(topic) + "." + first + (last > first ? "-" + last : ""));
        return String.join(",", out);
    }

    static String line(Group g, Map<String, Integer> owners) {
        List<String> names = new ArrayList<>(g.topics.keySet()), ids = new ArrayList<>(g.members.keySet());
        StringBuilder out = new StringBuilder(g.assignor + " T");
        g.topics.forEach((name, t) ->
            out.append(" " + name + ":" + t.n + (t.racks == null ? "" : ":" + String.join("/", t.racks))));
        out.append(" M");
        for (Member m : g.members.values()) {
            List<String> subs = new ArrayList<>();
            for (String topic : m.topics) subs.add("" + names.indexOf(topic));
            out.append(" " + m.id + ":" + m.instance + ":" + (m.rack < 0 ? "" : "" + (char) ('a' + m.rack)) + ":"
                + (m.oldVersion ? "-" : "" + m.generation) + ":" + String.join(",", subs) + ":" + ranges(g, m) + ":" + m.user);
        }
        out.append(" = ");
        List<String> list = new ArrayList<>();
        g.topics.forEach((name, t) -> {
            for (int p = 0; p < t.n; p++) {
                Integer owner = owners.get(claim(name, p));
                list.add(owner == null ? "-" : "" + owner);
            }
        });
        return out + String.join(",", list);
    }

    /* What the rules of docs/decisions/0015 decide otherwise than Java does. */
    static String unlike(Group g) {
        Map<String, List<Member>> claimants = new HashMap<>();
        for (Member m : g.members.values())
            for (String c : m.claims) claimants.computeIfAbsent(c, k -> new ArrayList<>()).add(m);
        for (List<Member> list : claimants.values()) {
            if (list.size() > 2) return "three members claim one partition";
            for (Member m : list)
                if (list.size() > 1 && userGeneration(m) != (m.oldVersion ? -1 : m.generation))
                    return "Java compares generations of different origin";
        }
        return null;
    }

    static void count(Map<String, Integer> map, String what) { map.merge(what, 1, Integer::sum); }

    /* The result as owners, or null if it cannot be recorded. */
    static Map<String, Integer> record(Group g, Map<String, List<TopicPartition>> result) {
        List<String> ids = new ArrayList<>(g.members.keySet());
        Map<String, Integer> owners = new HashMap<>();
        for (String id : result.keySet())
            for (TopicPartition tp : result.get(id)) {
                if (!g.members.get(id).topics.contains(tp.topic())) {
                    count(dropped, "Java gives a partition to a member that does not subscribe");
                    return null;
                }
                if (owners.put(claim(tp.topic(), tp.partition()), ids.indexOf(id)) != null) {
                    count(dropped, "Java gives a partition twice");
                    return null;
                }
            }
        return owners;
    }

    static Map<String, List<TopicPartition>> attempt(Group g, String category, List<String> lines, Set<String> seen) {
        List<String> ids = new ArrayList<>(g.members.keySet());
        Map<String, List<TopicPartition>> result;
        String why = unlike(g);
        try {
            result = run(g, ids);
        } catch (RuntimeException e) {
            count(dropped, category + ": Java throws " + e.getClass().getSimpleName() + " in " + e.getStackTrace()[0].getMethodName());
            return null;
        }
        Map<String, Integer> owners = record(g, result);
        if (owners == null) return null;
        if (why != null) {
            count(dropped, why);
            return result;
        }
        for (int i = 0; i < 3; i++) {
            List<String> other = new ArrayList<>(ids);
            Collections.shuffle(other, random);
            Map<String, Integer> again = record(g, run(g, other));
            shuffled++;
            if (!owners.equals(again)) shuffledDiffer++;
        }
        String line = line(g, owners);
        if (seen.add(line)) {
            lines.add(line);
            count(kept, category);
        }
        return result;
    }

    /* ---- groups -------------------------------------------------------------------- */

    static final String[] CLIENTS = {"consumer-1", "app", "kwire", "C", "rdkafka", "\u00e4pp", "\uff41pp", "\ud83d\ude80"};

    static Member member(Group g, boolean racks, boolean unequal) {
        Member m = new Member();
        m.id = CLIENTS[chance(85) ? below(5) : below(CLIENTS.length)] + "-" + Integer.toHexString(random.nextInt());
        if (racks && chance(90)) m.rack = below(chance(90) ? 3 : 6);
        List<String> names = new ArrayList<>(g.topics.keySet());
        if (unequal) {
            for (String name : names) if (chance(55)) m.topics.add(name);
            if (m.topics.isEmpty() && chance(80)) m.topics.add(names.get(below(names.size())));
        } else {
            m.topics.addAll(names);
        }
        return m;
    }

    static List<String> racksFor(int n) {
        List<String> out = new ArrayList<>();
        int copies = 1 + below(3);
        int first = below(3), style = below(3);
        for (int p = 0; p < n; p++) {
            StringBuilder word = new StringBuilder();
            for (int c = 0; c < copies; c++)
                word.append(style == 0 ? (char) ('a' + (first + p + c) % 3) : chance(4) ? '.' : (char) ('a' + below(4)));
            out.add(word.toString());
        }
        return out;
    }

    static void addTopic(Group g, boolean racks, int partitions) {
        Topic t = new Topic();
        String name = (chance(50) ? "t" : "orders.v") + below(100);
        t.n = chance(4) ? 0 : 1 + below(partitions);
        if (racks && chance(95)) t.racks = racksFor(t.n);
        if (t.n > 0 || !racks) g.topics.putIfAbsent(name, t);
    }

    static Group group(String assignor, boolean racks, boolean unequal) {
        Group g = new Group();
        g.assignor = assignor;
        int size = chance(80) ? 8 : 24;
        int n = 1 + below(chance(70) ? 4 : 9), partitions = chance(60) ? 6 : 14;
        while (g.topics.isEmpty() || n-- > 0) addTopic(g, racks, partitions);
        if (racks && chance(40)) { /* topics that are joined */
            Topic first = g.topics.firstEntry().getValue();
            for (Topic t : g.topics.values()) {
                t.n = first.n;
                t.racks = chance(50) || first.racks == null ? first.racks : racksFor(t.n);
            }
        }
        for (int i = 1 + below(size); i > 0; i--) {
            Member m = member(g, racks, unequal);
            if (chance(25)) m.instance = "i" + below(1000);
            for (Member other : g.members.values()) if (other.instance.equals(m.instance)) m.instance = "";
            g.members.put(m.id, m);
        }
        return g;
    }

    /* What the members remember of a result, and how the group changes before the next. */
    static void next(Group g, Map<String, List<TopicPartition>> result, boolean racks, boolean unequal, boolean odd) {
        boolean cooperative = g.assignor.equals("cooperative-sticky");
        for (Member m : g.members.values()) {
            if (chance(odd ? 25 : 4)) continue; /* slept: it still believes what it did */
            m.claims.clear();
            for (TopicPartition tp : result.get(m.id)) m.claims.add(claim(tp.topic(), tp.partition()));
            m.generation = g.generation;
            m.user = cooperative ? "c" : "1";
            if (odd && chance(15)) m.user = cooperative ? "" : "0";
            if (odd && cooperative && chance(15)) m.user = "x0000";
            m.oldVersion = odd && chance(15);
            if (m.oldVersion && !m.user.isEmpty()) m.user = (cooperative ? "c" : "1") + m.generation;
            if (m.oldVersion) m.generation = -1;
            if (m.oldVersion) m.rack = -1;
        }
        g.generation++;
        List<String> ids = new ArrayList<>(g.members.keySet());
        for (String id : ids) if (g.members.size() > 1 && chance(12)) g.members.remove(id);
        for (int i = below(4); i > 0; i--) {
            Member m = member(g, racks, unequal);
            g.members.put(m.id, m);
        }
        if (chance(25)) {
            String before = String.join(",", g.topics.keySet());
            addTopic(g, racks, 8);
            for (Member m : g.members.values())
                if (!unequal) m.topics.addAll(g.topics.keySet());
        }
        for (Topic t : g.topics.values())
            if (chance(10) && t.n > 0) {
                int more = 1 + below(4);
                if (t.racks != null) {
                    t.racks = new ArrayList<>(t.racks);
                    t.racks.addAll(racksFor(more));
                }
                t.n += more;
            }
        if (unequal)
            for (Member m : g.members.values())
                if (chance(20)) m.topics = member(g, false, true).topics;
        if (odd && chance(20)) { /* one whose user data is broken */
            Member m = g.members.get(new ArrayList<>(g.members.keySet()).get(below(g.members.size())));
            m.user = new String[] {"x00000001", "xffffffff", "x00", "x0000000000000007ff", "x7fffffff00000001"}[below(5)];
            m.claims.clear();
        }
        if (odd && chance(30)) { /* two that have the same */
            List<Member> all = new ArrayList<>(g.members.values());
            Member a = all.get(below(all.size())), b = all.get(below(all.size()));
            if (a.user.isEmpty() || a.user.charAt(0) != 'x') for (String c : b.claims) if (chance(50)) a.claims.add(c);
        }
        if (!g.assignor.equals("sticky") && !cooperative)
            for (Member m : g.members.values()) {
                m.claims.clear();
                m.user = "";
            }
        if (g.assignor.equals("sticky"))
            for (Member m : g.members.values())
                if (m.user.isEmpty()) m.claims.clear();
    }

    static void fill(List<String> lines, String category, int wanted, String assignor, boolean racks, boolean unequal, boolean odd) {
        Set<String> seen = new HashSet<>(lines);
        while (kept.getOrDefault(category, 0) < wanted) {
            Group g = group(assignor, racks, unequal);
            for (int round = 0; round < ROUNDS && kept.getOrDefault(category, 0) < wanted; round++) {
                /* Of sticky groups the first round has no history; it is recorded rarely. */
                boolean first = round == 0 && assignor.contains("sticky") && !chance(15);
                Map<String, List<TopicPartition>> result;
                try {
                    result = first ? run(g, new ArrayList<>(g.members.keySet())) : attempt(g, category, lines, seen);
                } catch (RuntimeException e) {
                    break;
                }
                if (result == null) break;
                next(g, result, racks, unequal, odd);
            }
        }
    }

    public static void main(String[] args) throws Exception {
        int times = args.length > 1 ? Integer.parseInt(args[1]) : 1;
        if (args.length > 2) random.setSeed(Long.parseLong(args[2]));
        List<String> lines = new ArrayList<>();
        Map<String, Integer> starts = new LinkedHashMap<>();
        Object[][] plan = {
            {"range", 60, "range", false, false, false}, {"range, unequal", 60, "range", false, true, false},
            {"range, racks", 80, "range", true, false, false}, {"range, racks, unequal", 60, "range", true, true, false},
            {"roundrobin", 40, "roundrobin", false, false, false}, {"roundrobin, unequal", 60, "roundrobin", false, true, false},
            {"sticky", 100, "sticky", false, false, false}, {"sticky, odd", 80, "sticky", false, false, true},
            {"sticky, unequal", 100, "sticky", false, true, false}, {"sticky, unequal, odd", 80, "sticky", false, true, true},
            {"sticky, racks", 80, "sticky", true, false, false}, {"sticky, racks, unequal", 80, "sticky", true, true, false},
            {"cooperative", 80, "cooperative-sticky", false, false, false},
            {"cooperative, odd", 60, "cooperative-sticky", false, false, true},
            {"cooperative, unequal", 80, "cooperative-sticky", false, true, false},
            {"cooperative, unequal, odd", 60, "cooperative-sticky", false, true, true},
            {"cooperative, racks", 60, "cooperative-sticky", true, false, false},
            {"cooperative, racks, unequal", 60, "cooperative-sticky", true, true, false}};
        StringBuilder out = new StringBuilder("/* Made by tools/assignments.sh: what the assignors of Kafka's Java client 4.3.1 make of\n"
            + " * groups. One line a case, in the form of tests/assign/bed.h. */\nstatic const struct {\n"
            + "    const char *category, *line;\n} vector_assignments[] = {\n");
        for (Object[] row : plan) {
            int from = lines.size();
            fill(lines, (String) row[0], (int) row[1] * times, (String) row[2], (boolean) row[3], (boolean) row[4], (boolean) row[5]);
            for (String line : lines.subList(from, lines.size()))
                out.append("    {\"" + row[0] + "\", \"" + line + "\"},\n");
        }
        out.append("};\n");
        if (args.length > 1) Files.write(Path.of(args[0]), lines);
        else Files.writeString(Path.of(args[0]), out.toString());
        kept.forEach((what, n) -> System.err.println("recorded: " + n + " " + what));
        dropped.forEach((what, n) -> System.err.println("not recorded: " + n + " " + what));
        System.err.println(shuffledDiffer + " of " + shuffled + " runs with the members in another order differ");
    }
}
