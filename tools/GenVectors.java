import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.BinaryNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.common.record.internal.MemoryRecords;

/**
 * Adds golden bytes of every version of the covered messages to a file of
 * vectors, made by Kafka's own classes:
 *
 *   -full  every field is set
 *   -null  the same, but null wherever the version allows it, in elements too;
 *          left out where it allows none
 *   -init  nothing is set; each array has one element in which nothing is set
 *
 * and "layouts": names, types, nullability and tags of each version's fields.
 * What an earlier run added is replaced. With a second file, only versions that
 * it lacks are made. tools/vectors.sh runs this:
 *
 *     java -cp CLASSPATH tools/GenVectors.java tests/vectors/kafka-4.3.1.json
 *     java -cp CLASSPATH tools/GenVectors.java tests/vectors/kafka-4.4.0.json \
 *         tests/vectors/kafka-4.3.1.json
 */
public class GenVectors {
    static final short[] KEYS = {
        0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 28, 29, 30, 31, 32, 33,
        34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 55, 57, 60, 61, 64, 65, 66, 68, 69,
        71, 72, 74, 75, 76, 77, 78, 79, 80, 81, 88, 89, 90, 91, 92, 93, 94};
    /** Blobs in records and in messages; they have no key and no header. */
    static final List<String> DATA = List.of("ConsumerProtocolSubscription", "ConsumerProtocolAssignment",
        "ControlRecordTypeSchema", "EndTxnMarker", "LeaderChangeMessage", "SnapshotHeaderRecord",
        "SnapshotFooterRecord", "KRaftVersionRecord", "VotersRecord");
    static final String PACKAGE = "org.apache.kafka.common.message.";
    static final HexFormat HEX = HexFormat.of();
    static final List<String> KINDS = List.of("full", "null", "init");
    static final ObjectMapper MAPPER = new ObjectMapper();
    static final ArrayNode messages = MAPPER.createArrayNode(), layouts = MAPPER.createArrayNode();
    static final Set<String> known = new HashSet<>();
    static String kind;
    static long counter;
    static List<byte[]> records;

    static Method setter(Class<?> type, String snake) {
        StringBuilder name = new StringBuilder("set");
        for (String word : snake.split("_"))
            name.append(Character.toUpperCase(word.charAt(0))).append(word.substring(1));
        for (Method method : type.getMethods())
            if (method.getName().equalsIgnoreCase(name.toString()) && method.getParameterCount() == 1)
                return method;
        throw new IllegalStateException(type + " has no " + name);
    }

    static Object plain(Class<?> type, Type schema) {
        long n = ++counter * 2654435761L;
        if (type == boolean.class) return true;
        if (type == byte.class) return (byte) (n | 1);
        if (type == short.class) return (short) (n | 1);
        if (schema == Type.UINT16) return (int) (n & 0xffff | 0x8001);
        if (type == int.class) return (int) (n | 1);
        if (type == long.class) return n * 65537L | 1;
        if (type == String.class) return counter % 5 == 0 ? "naïve-" + counter : "t" + counter;
        if (type == Uuid.class) return new Uuid(n, n * 31 + 7);
        if (type == double.class) return counter * 1.25 - 1000;
        if (type == byte[].class) return someBytes((int) (counter % 7) + 1);
        if (type == ByteBuffer.class) return ByteBuffer.wrap(someBytes((int) (counter % 7) + 1));
        throw new IllegalStateException("no value for " + type);
    }

    static Object array(Method set, Type type, Class<?> param) throws Exception {
        Type element = type.arrayElementType().get();
        Class<?> elementClass;
        Collection<Object> list;
        if (param != List.class) {
            elementClass = (Class<?>) ((ParameterizedType) param.getGenericSuperclass()).getActualTypeArguments()[0];
            list = (Collection<Object>) param.getConstructor().newInstance();
        } else {
            elementClass = (Class<?>) ((ParameterizedType) set.getGenericParameterTypes()[0]).getActualTypeArguments()[0];
            list = new ArrayList<>();
        }
        int n = kind.equals("init") ? 1 : 2;
        for (int i = 0; i < n; i++) list.add(element(elementClass, element));
        return list;
    }

    static Object element(Class<?> type, Type schema) throws Exception {
        boolean init = kind.equals("init");
        if (type == Byte.class) return init ? Byte.valueOf((byte) 0) : plain(byte.class, schema);
        if (type == Short.class) return init ? Short.valueOf((short) 0) : plain(short.class, schema);
        if (type == Integer.class) return init ? Integer.valueOf(0) : plain(int.class, schema);
        if (type == Long.class) return init ? Long.valueOf(0) : plain(long.class, schema);
        if (type == String.class) return init ? "" : plain(String.class, schema);
        if (type == Uuid.class) return init ? Uuid.ZERO_UUID : plain(Uuid.class, schema);
        Object struct = type.getConstructor().newInstance();
        fill(struct, (Schema) schema);
        return struct;
    }

    static byte[] someBytes(int n) {
        byte[] bytes = new byte[n];
        for (int i = 0; i < n; i++) bytes[i] = (byte) (i * 37 + counter);
        return bytes;
    }

    static Object someRecords() {
        byte[] bytes = someBytes((int) (++counter % 7) + 20);
        records.add(bytes);
        return MemoryRecords.readableRecords(ByteBuffer.wrap(bytes));
    }

    static void set(Object struct, Field field) throws Exception {
        Method set = setter(struct.getClass(), field.name);
        Class<?> param = set.getParameterTypes()[0];
        boolean isArray = field.type.arrayElementType().isPresent();
        if (kind.equals("null") && field.type.isNullable()) {
            set.invoke(struct, new Object[] {null});
        } else if (isArray) {
            set.invoke(struct, array(set, field.type, param));
        } else if (field.type instanceof Schema schema) {
            /* A struct that is null by default is set in no -init vector. */
            if (kind.equals("init") && struct.getClass().getMethod(set.getName().substring(3, 4).toLowerCase()
                + set.getName().substring(4)).invoke(struct) == null) return;
            Object inner = param.getConstructor().newInstance();
            fill(inner, schema);
            set.invoke(struct, inner);
        } else if (kind.equals("full") || kind.equals("null")) {
            set.invoke(struct, param.getSimpleName().equals("BaseRecords") ? someRecords() : plain(param, field.type));
        } else if (param.getSimpleName().equals("BaseRecords")) {
            /* Null, the default of the class, stands for empty data here. */
            records.add(new byte[0]);
            set.invoke(struct, MemoryRecords.EMPTY);
        }
    }

    static void fill(Object struct, Schema schema) throws Exception {
        for (BoundField bound : schema.fields()) {
            if (bound.def.type instanceof TaggedFields tagged)
                for (Field field : tagged.fields().values()) set(struct, field);
            else set(struct, bound.def);
        }
    }

    static String typeName(Type type) {
        if (type.arrayElementType().isPresent()) return "[" + typeName(type.arrayElementType().get()) + "]" + (type.isNullable() ? "?" : "");
        if (type instanceof Schema schema) return "{" + layout(schema) + "}" + (type.isNullable() ? "?" : "");
        String name = type.toString().toLowerCase().replace("compact_", "").replace("nullable_", "");
        return name + (type.isNullable() ? "?" : "");
    }

    /* Kafka's schemas call KRaftVersion kraft_version, its JSON kRaftVersion. */
    static String fieldName(Field field) {
        return field.name.replace("kraft_version", "k_raft_version");
    }

    static String layout(Schema schema) {
        StringBuilder out = new StringBuilder(), tags = new StringBuilder();
        for (BoundField bound : schema.fields()) {
            if (!(bound.def.type instanceof TaggedFields tagged)) {
                out.append(fieldName(bound.def)).append(':').append(typeName(bound.def.type)).append(' ');
                continue;
            }
            for (var tag : tagged.fields().entrySet())
                tags.append('#').append(tag.getKey()).append(' ').append(fieldName(tag.getValue())).append(':')
                    .append(typeName(tag.getValue().type)).append(' ');
        }
        return (out.toString() + tags).strip();
    }

    /* The converters leave record data out; it is put in by order of appearance. */
    static int putRecords(JsonNode node, int next) {
        if (node instanceof ObjectNode object && object.has("records") && !object.get("records").isNull())
            object.set("records", new BinaryNode(records.get(next++)));
        for (JsonNode child : node) next = putRecords(child, next);
        return next;
    }

    static String hex(Message message, short version) {
        ByteBuffer buffer = MessageUtil.toByteBufferAccessor(message, version).buffer();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return HEX.formatHex(bytes);
    }

    static JsonNode fields(Message message, short version) throws Exception {
        Class<?> converter = Class.forName(message.getClass().getName() + "JsonConverter");
        JsonNode fields = (JsonNode) converter.getMethod("write", message.getClass(), short.class)
            .invoke(null, message, version);
        putRecords(fields, 0);
        return fields;
    }

    static ObjectNode vector(ApiMessageType api, boolean request, short version) throws Exception {
        ApiMessage message = request ? api.newRequest() : api.newResponse();
        String name = message.getClass().getSimpleName().replace("Data", "");
        records = new ArrayList<>();
        /* Values of its own, so that a new API does not change what others have. */
        counter = api.apiKey() * 2000L + version * 40L + KINDS.indexOf(kind) * 10L + (request ? 0 : 1000);
        fill(message, (request ? api.requestSchemas() : api.responseSchemas())[version]);
        ObjectNode out = MAPPER.createObjectNode();
        short headerVersion = request ? api.requestHeaderVersion(version) : api.responseHeaderVersion(version);
        Message header = request
            ? new RequestHeaderData().setRequestApiKey(api.apiKey()).setRequestApiVersion(version).setCorrelationId(version + 1000).setClientId("kwire")
            : new ResponseHeaderData().setCorrelationId(version + 1000);
        String headerHex = hex(header, headerVersion), body = hex(message, version);
        out.put("name", name + "-v" + version + "-" + kind);
        out.put("api", api.name).put("api_key", api.apiKey());
        out.put("type", request ? "request" : "response");
        out.put("version", version).put("header_version", headerVersion).put("correlation_id", version + 1000);
        if (request) out.put("client_id", "kwire");
        out.put("header_hex", headerHex).put("frame_size", (headerHex.length() + body.length()) / 2);
        out.set("fields", fields(message, version));
        return out.put("hex", body);
    }

    static ObjectNode dataVector(String name, Schema schema, short version) throws Exception {
        ApiMessage message = (ApiMessage) Class.forName(PACKAGE + name).getConstructor().newInstance();
        counter = name.hashCode() % 10000 + version * 40L;
        fill(message, schema);
        ObjectNode out = MAPPER.createObjectNode();
        out.put("name", name + "-v" + version + "-" + kind).put("api", name).put("type", "data").put("version", version);
        out.set("fields", fields(message, version));
        return out.put("hex", hex(message, version));
    }

    /** All of one version of one message, if the file of older versions has none. */
    static void addAll(ApiMessageType api, boolean request, short v) throws Exception {
        String type = request ? "request" : "response";
        if (!known.add(api.apiKey() + type + v)) return;
        String layout = layout((request ? api.requestSchemas() : api.responseSchemas())[v]);
        for (String each : KINDS) {
            kind = each;
            if (!kind.equals("null") || layout.contains("?")) messages.add(vector(api, request, v));
        }
        layouts.add(MAPPER.createObjectNode().put("api_key", api.apiKey()).put("type", type).put("version", v).put("layout", layout));
    }

    static void addData(String name) throws Exception {
        Schema[] schemas = (Schema[]) Class.forName(PACKAGE + name).getField("SCHEMAS").get(null);
        for (short v = 0; v < schemas.length; v++) {
            if (schemas[v] == null || !known.add(name + "data" + v)) continue;
            for (String each : KINDS) {
                kind = each;
                if (!kind.equals("null") || layout(schemas[v]).contains("?")) messages.add(dataVector(name, schemas[v], v));
            }
            layouts.add(MAPPER.createObjectNode().put("api", name).put("type", "data").put("version", v).put("layout", layout(schemas[v])));
        }
    }

    static void writeList(StringBuilder out, String name, JsonNode list) {
        out.append(",\n\"").append(name).append("\": [\n");
        for (int i = 0; i < list.size(); i++) out.append(i > 0 ? ",\n" : "").append(list.get(i));
        out.append("\n]");
    }

    public static void main(String[] args) throws Exception {
        File file = new File(args[0]);
        JsonNode data = MAPPER.readTree(file);
        for (JsonNode old : data.get("messages"))
            if (!old.get("name").asText().matches(".*-v[0-9]+-(full|null|init)")) messages.add(old);
        if (args.length > 1)
            for (JsonNode old : MAPPER.readTree(new File(args[1])).get("layouts"))
                known.add(old.get(old.has("api_key") ? "api_key" : "api").asText() + old.get("type").asText() + old.get("version"));
        for (short key : KEYS) {
            ApiMessageType api = Stream.of(ApiMessageType.values()).filter(a -> a.apiKey() == key).findAny().orElse(null);
            if (api == null) continue; /* newer than the jar */
            for (short v = api.lowestSupportedVersion(); v <= api.highestSupportedVersion(true); v++) {
                addAll(api, true, v);
                addAll(api, false, v);
            }
        }
        for (String name : DATA) addData(name);
        StringBuilder out = new StringBuilder("{\n\"source\": " + data.get("source") + ",\n\"encoding\": " + data.get("encoding"));
        writeList(out, "messages", messages);
        writeList(out, "layouts", layouts);
        writeList(out, "records", data.get("records"));
        writeList(out, "misc", data.get("misc"));
        java.nio.file.Files.writeString(file.toPath(), out + "\n}\n");
    }
}
