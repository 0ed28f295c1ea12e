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
 * tests/vectors/kafka-4.3.1.json, made by Kafka's own classes: one message with
 * every field set, and one with as little as the version allows (nulls, empty
 * arrays, tagged fields at their defaults). Entries of an earlier run, named
 * "...-full" and "...-bare", are replaced. Then run tools/gen_vectors.py.
 *
 *     java -cp 'kafka-clients-4.3.1.jar:jackson-*.jar:slf4j-api.jar' \
 *         tools/GenVectors.java tests/vectors/kafka-4.3.1.json
 */
public class GenVectors {
    static final short[] KEYS = {0, 1, 2, 3, 10, 17, 18, 19, 20, 22};
    static final HexFormat HEX = HexFormat.of();
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

    static Object value(Method set, Type type, boolean full) throws Exception {
        Class<?> param = set.getParameterTypes()[0];
        if (type.arrayElementType().isPresent()) {
            if (!full) return type.isNullable() ? null : param == List.class ? List.of() : param.getConstructor().newInstance();
            Type element = type.arrayElementType().get();
            Class<?> elementClass;
            Collection<Object> list;
            if (Collection.class.isAssignableFrom(param) && param != List.class) {
                elementClass = (Class<?>) ((ParameterizedType) param.getGenericSuperclass()).getActualTypeArguments()[0];
                list = (Collection<Object>) param.getConstructor().newInstance();
            } else {
                elementClass = (Class<?>) ((ParameterizedType) set.getGenericParameterTypes()[0]).getActualTypeArguments()[0];
                list = new ArrayList<>();
            }
            for (int i = 0; i < 2; i++) list.add(element(elementClass, element));
            return list;
        }
        if (type instanceof Schema) {
            Object struct = param.getConstructor().newInstance();
            fill(struct, (Schema) type, full);
            return struct;
        }
        if (param.getSimpleName().equals("BaseRecords")) {
            if (!full) return null;
            byte[] bytes = new byte[(int) (++counter % 7) + 20];
            for (int i = 0; i < bytes.length; i++) bytes[i] = (byte) (i * 37 + counter);
            records.add(bytes);
            return MemoryRecords.readableRecords(ByteBuffer.wrap(bytes));
        }
        if (!full) return null;
        return plain(param);
    }

    static Object element(Class<?> type, Type schema) throws Exception {
        if (type == Integer.class) return plain(int.class);
        if (type == Long.class) return plain(long.class);
        if (type == String.class) return plain(String.class);
        Object struct = type.getConstructor().newInstance();
        fill(struct, (Schema) schema, true);
        return struct;
    }

    static void set(Object struct, Field field, boolean full, boolean tagged) throws Exception {
        Method set = setter(struct.getClass(), field.name);
        boolean composite = field.type.arrayElementType().isPresent() || field.type instanceof Schema;
        /* A bare message keeps its defaults, but takes null wherever it may. */
        if (!full && (tagged || !(composite || field.type.isNullable()))) return;
        set.invoke(struct, value(set, field.type, full));
    }

    static void fill(Object struct, Schema schema, boolean full) throws Exception {
        for (BoundField bound : schema.fields()) {
            if (bound.def.type instanceof TaggedFields tagged)
                for (Field field : tagged.fields().values()) set(struct, field, full, true);
            else set(struct, bound.def, full, false);
        }
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

    static ObjectNode vector(ObjectMapper mapper, ApiMessageType api, boolean request, short version, boolean full) throws Exception {
        ApiMessage message = request ? api.newRequest() : api.newResponse();
        String name = message.getClass().getSimpleName().replace("Data", "");
        records = new ArrayList<>();
        fill(message, (request ? api.requestSchemas() : api.responseSchemas())[version], full);
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
        out.put("name", name + "-v" + version + (full ? "-full" : "-bare"));
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
        ArrayNode messages = mapper.createArrayNode();
        for (JsonNode old : data.get("messages"))
            if (!old.get("name").asText().matches(".*-(full|bare)")) messages.add(old);
        for (short key : KEYS) {
            ApiMessageType api = ApiMessageType.fromApiKey(key);
            for (short v = api.lowestSupportedVersion(); v <= api.highestSupportedVersion(true); v++)
                for (int k = 0; k < 4; k++) messages.add(vector(mapper, api, k < 2, v, k % 2 == 0));
        }
        StringBuilder out = new StringBuilder("{\n\"source\": " + data.get("source") + ",\n\"encoding\": " + data.get("encoding"));
        writeList(out, "messages", messages);
        writeList(out, "records", data.get("records"));
        writeList(out, "misc", data.get("misc"));
        java.nio.file.Files.writeString(file.toPath(), out + "\n}\n");
    }
}
