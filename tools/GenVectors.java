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
import java.util.HexFormat;
import java.util.List;
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
 * Adds golden bytes of every version of the covered messages to
 * tests/vectors/kafka-4.3.1.json, made by Kafka's own classes:
 *
 *   -full  every field is set
 *   -null  the same, but null wherever the version allows it, in elements too
 *   -init  nothing is set; each array has one element in which nothing is set
 *
 * and "layouts": names, types, nullability and tags of each version's fields.
 * What an earlier run added is replaced. Then run tools/gen_vectors.py.
 *
 *     java -cp 'kafka-clients-4.3.1.jar:jackson-*.jar:slf4j-api.jar' \
 *         tools/GenVectors.java tests/vectors/kafka-4.3.1.json
 */
public class GenVectors {
    static final short[] KEYS = {0, 1, 2, 3, 10, 17, 18, 19, 20, 22};
    static final HexFormat HEX = HexFormat.of();
    static final List<String> KINDS = List.of("full", "null", "init");
    static String kind;
    static long counter;
    static List<byte[]> records;

    static Method setter(Class<?> type, String snake) {
        StringBuilder name = new StringBuilder("set");
        for (String word : snake.split("_"))
            name.append(Character.toUpperCase(word.charAt(0))).append(word.substring(1));
        for (Method method : type.getMethods())
            if (method.getName().equals(name.toString()) && method.getParameterCount() == 1)
                return method;
        throw new IllegalStateException(type + " has no " + name);
    }

    static Object plain(Class<?> type) {
        long n = ++counter * 2654435761L;
        if (type == boolean.class) return true;
        if (type == byte.class) return (byte) (n | 1);
        if (type == short.class) return (short) (n | 1);
        if (type == int.class) return (int) (n | 1);
        if (type == long.class) return n * 65537L | 1;
        if (type == String.class) return counter % 5 == 0 ? "naïve-" + counter : "t" + counter;
        if (type == Uuid.class) return new Uuid(n, n * 31 + 7);
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
        if (type == Integer.class) return init ? Integer.valueOf(0) : plain(int.class);
        if (type == Long.class) return init ? Long.valueOf(0) : plain(long.class);
        if (type == String.class) return init ? "" : plain(String.class);
        Object struct = type.getConstructor().newInstance();
        fill(struct, (Schema) schema);
        return struct;
    }

    static Object someRecords() {
        byte[] bytes = new byte[(int) (++counter % 7) + 20];
        for (int i = 0; i < bytes.length; i++) bytes[i] = (byte) (i * 37 + counter);
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
            Object inner = param.getConstructor().newInstance();
            fill(inner, schema);
            set.invoke(struct, inner);
        } else if (kind.equals("full") || kind.equals("null")) {
            set.invoke(struct, param.getSimpleName().equals("BaseRecords") ? someRecords() : plain(param));
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
        if (type instanceof Schema schema) return "{" + layout(schema) + "}";
        String name = type.toString().toLowerCase().replace("compact_", "").replace("nullable_", "");
        return name + (type.isNullable() ? "?" : "");
    }

    static String layout(Schema schema) {
        StringBuilder out = new StringBuilder(), tags = new StringBuilder();
        for (BoundField bound : schema.fields()) {
            if (!(bound.def.type instanceof TaggedFields tagged)) {
                out.append(bound.def.name).append(':').append(typeName(bound.def.type)).append(' ');
                continue;
            }
            for (var tag : tagged.fields().entrySet())
                tags.append('#').append(tag.getKey()).append(' ').append(tag.getValue().name).append(':')
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

    static ObjectNode vector(ObjectMapper mapper, ApiMessageType api, boolean request, short version) throws Exception {
        ApiMessage message = request ? api.newRequest() : api.newResponse();
        String name = message.getClass().getSimpleName().replace("Data", "");
        records = new ArrayList<>();
        fill(message, (request ? api.requestSchemas() : api.responseSchemas())[version]);
        Class<?> converter = Class.forName(message.getClass().getName() + "JsonConverter");
        JsonNode fields = (JsonNode) converter.getMethod("write", message.getClass(), short.class)
            .invoke(null, message, version);
        putRecords(fields, 0);
        ObjectNode out = mapper.createObjectNode();
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
        out.set("fields", fields);
        return out.put("hex", body);
    }

    static void writeList(StringBuilder out, String name, JsonNode list) {
        out.append(",\n\"").append(name).append("\": [\n");
        for (int i = 0; i < list.size(); i++) out.append(i > 0 ? ",\n" : "").append(list.get(i));
        out.append("\n]");
    }

    public static void main(String[] args) throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        File file = new File(args[0]);
        JsonNode data = mapper.readTree(file);
        ArrayNode messages = mapper.createArrayNode(), layouts = mapper.createArrayNode();
        for (JsonNode old : data.get("messages"))
            if (!old.get("name").asText().matches(".*-v[0-9]+-(full|null|init)")) messages.add(old);
        for (short key : KEYS) {
            ApiMessageType api = ApiMessageType.fromApiKey(key);
            for (short v = api.lowestSupportedVersion(); v <= api.highestSupportedVersion(true); v++)
                for (String each : KINDS) {
                    kind = each;
                    messages.add(vector(mapper, api, true, v));
                    messages.add(vector(mapper, api, false, v));
                }
        }
        for (short key : KEYS) {
            ApiMessageType api = ApiMessageType.fromApiKey(key);
            for (short v = api.lowestSupportedVersion(); v <= api.highestSupportedVersion(true); v++)
                for (int k = 0; k < 2; k++)
                    layouts.add(mapper.createObjectNode().put("api_key", key)
                        .put("type", k == 0 ? "request" : "response").put("version", v)
                        .put("layout", layout((k == 0 ? api.requestSchemas() : api.responseSchemas())[v])));
        }
        StringBuilder out = new StringBuilder("{\n\"source\": " + data.get("source") + ",\n\"encoding\": " + data.get("encoding"));
        writeList(out, "messages", messages);
        writeList(out, "layouts", layouts);
        writeList(out, "records", data.get("records"));
        writeList(out, "misc", data.get("misc"));
        java.nio.file.Files.writeString(file.toPath(), out + "\n}\n");
    }
}
