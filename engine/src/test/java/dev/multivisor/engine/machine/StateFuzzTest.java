package dev.multivisor.engine.machine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.multivisor.api.EngineException;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.dataformat.cbor.CBORMapper;

/**
 * Restoring a state from a stranger: every field is replaced by other types, by nothing, by numbers at and beyond the edges, by
 * arrays of another length. Either it is refused by name, or the machine runs and can be saved and closed.
 */
class StateFuzzTest {
    private static final Map<String, String> COUNTED = Map.of("time", "instructions");
    private static final CBORMapper MAPPER = CBORMapper.builder().build();
    private static final long SEED = Long.getLong("multivisor.test.seed", 1);

    /** How many instructions a machine runs whose state was accepted. */
    private static final int RUN = 300;

    @TempDir
    Path folder;

    @Test
    void everyFieldIsChecked() throws IOException, InterruptedException {
        assumeTrue(SystemGuest.buildable(), "no binutils on this host");
        SystemGuest guest = SystemGuest.named("interrupts");
        Path kernel = guest.build(folder);
        try (var lent = new TestResources(SystemGuest.MEMORY);
                var machine = guest.create(kernel, COUNTED, lent.resources)) {
            ((Vcpu) machine.cpus().getFirst()).runFor(3800);
            byte[] state = machine.save(SoftMachine.stateFormat());
            JsonNode tree = MAPPER.readTree(Arrays.copyOfRange(state, 20, state.length));
            List<Place> places = new ArrayList<>();
            collect(tree, "", places);
            assertTrue(places.size() > 200, places::toString);
            SplittableRandom random = new SplittableRandom(SEED);
            int accepted = 0;
            for (Place place : places) {
                for (JsonNode value : replacements(place.value(), random)) {
                    JsonNode before = place.replace(value);
                    accepted += restore(guest, lent, tree, place + " = " + shown(value)) ? 1 : 0;
                    place.replace(before);
                }
            }
            assertTrue(accepted > 500, "only " + accepted + " accepted: the rest is checked too strictly?");
        }
    }

    private static String shown(JsonNode value) {
        String text = value == null ? "(absent)" : value.toString();
        return text.length() > 60 ? text.substring(0, 60) : text;
    }

    /** Whether it was accepted. */
    private static boolean restore(SystemGuest guest, TestResources lent, JsonNode tree, String what) {
        byte[] state = StateContainerTest.framed(MAPPER.writeValueAsBytes(tree));
        try (var machine = SoftMachine.restore("test", guest.spec(COUNTED), state, lent.resources)) {
            assertEquals(state.length > 0, machine.save(SoftMachine.stateFormat()).length > 0);
            ((Vcpu) machine.cpus().getFirst()).runFor(RUN);
            machine.save(SoftMachine.stateFormat());
            return true;
        } catch (EngineException e) {
            assertTrue(e.getMessage().indexOf('\n') < 0, what + ": " + e.getMessage());
            return false;
        } catch (RuntimeException | Error e) {
            return fail(what, e);
        }
    }

    /** A field or element of a tree. */
    private record Place(JsonNode parent, String name, int index, String path) {
        JsonNode value() {
            return parent instanceof ObjectNode object ? object.get(name) : parent.get(index);
        }

        /** Puts something there, null for nothing, and returns what was there. */
        JsonNode replace(JsonNode value) {
            JsonNode before = value();
            if (parent instanceof ObjectNode object) {
                if (value == null) {
                    object.remove(name);
                } else {
                    object.set(name, value);
                }
            } else if (value != null) {
                ((ArrayNode) parent).set(index, value);
            }
            return before;
        }

        @Override
        public String toString() {
            return path;
        }
    }

    private static void collect(JsonNode node, String path, List<Place> places) {
        if (node instanceof ObjectNode object) {
            for (String name : List.copyOf(object.propertyNames())) {
                places.add(new Place(node, name, 0, path + "/" + name));
                collect(object.get(name), path + "/" + name, places);
            }
        } else if (node instanceof ArrayNode array) {
            // Of a long array the first, the last, and some others are enough.
            for (int n = 0; n < array.size(); n += n < 3 || n > array.size() - 3 ? 1 : 1 + array.size() / 8) {
                places.add(new Place(node, null, n, path + "[" + n + "]"));
                collect(array.get(n), path + "[" + n + "]", places);
            }
        }
    }

    private static List<JsonNode> replacements(JsonNode value, SplittableRandom random) {
        var nodes = MAPPER.getNodeFactory();
        List<JsonNode> result = new ArrayList<>();
        result.add(null);
        result.add(nodes.nullNode());
        result.add(nodes.stringNode("x"));
        result.add(nodes.booleanNode(value.isBoolean() && !value.asBoolean()));
        result.add(nodes.arrayNode());
        result.add(nodes.objectNode());
        result.add(nodes.binaryNode(new byte[3]));
        if (value.isNumber()) {
            long old = value.asLong();
            for (long number : new long[] {
                0,
                1,
                -1,
                Integer.MAX_VALUE,
                Integer.MIN_VALUE,
                Long.MAX_VALUE,
                Long.MIN_VALUE,
                0xffffffffL,
                old + 1,
                old ^ 1L << random.nextInt(16),
                random.nextLong()
            }) {
                result.add(nodes.numberNode(number));
            }
            result.add(nodes.numberNode(1.5));
            result.add(nodes.numberNode(BigInteger.TEN.pow(40)));
        }
        if (value instanceof ArrayNode array && !array.isEmpty()) {
            ArrayNode longer = array.deepCopy();
            longer.add(array.get(0));
            result.add(longer);
            ArrayNode shorter = array.deepCopy();
            shorter.remove(array.size() - 1);
            result.add(shorter);
        }
        if (value.isBinary()) {
            byte[] bytes = value.binaryValue();
            result.add(nodes.binaryNode(Arrays.copyOf(bytes, bytes.length + 1)));
            byte[] noise = new byte[bytes.length];
            random.nextBytes(noise);
            result.add(nodes.binaryNode(noise));
        }
        return result;
    }
}
