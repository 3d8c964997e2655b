package dev.multivisor.server;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.stream.Collectors;
import tools.jackson.core.JacksonException;
import tools.jackson.core.exc.StreamReadException;
import tools.jackson.databind.DatabindException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.MapperFeature;
import tools.jackson.databind.cfg.CoercionAction;
import tools.jackson.databind.cfg.CoercionInputShape;
import tools.jackson.databind.exc.UnrecognizedPropertyException;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.type.LogicalType;

/** JSON as both ends write and read it. */
final class Json {
    /** Strict with what comes in, and leaves out what is absent. */
    static final JsonMapper STRICT = mapper(true);

    /** A client takes what a newer server adds. */
    static final JsonMapper LENIENT = mapper(false);

    private Json() {}

    private static JsonMapper mapper(boolean strict) {
        CoercionAction scalars = strict ? CoercionAction.Fail : CoercionAction.TryConvert;
        return JsonMapper.builder()
                .changeDefaultPropertyInclusion(old -> old.withValueInclusion(JsonInclude.Include.NON_ABSENT))
                .configure(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, strict)
                .configure(MapperFeature.ALLOW_COERCION_OF_SCALARS, !strict)
                .configure(DeserializationFeature.ACCEPT_FLOAT_AS_INT, !strict)
                .withCoercionConfig(
                        LogicalType.Textual,
                        config -> config.setCoercion(CoercionInputShape.Integer, scalars)
                                .setCoercion(CoercionInputShape.Float, scalars)
                                .setCoercion(CoercionInputShape.Boolean, scalars))
                .build();
    }

    /**
     * Reads what a client sent.
     *
     * @throws ControlException naming the field that is wrong
     */
    static <T> T read(String text, Class<T> type) {
        try {
            T value = STRICT.readValue(text.isBlank() ? "{}" : text, type);
            if (value == null) {
                throw new ControlException(ControlException.BAD_REQUEST, "the body is null, not an object");
            }
            return value;
        } catch (UnrecognizedPropertyException e) {
            throw new ControlException(ControlException.BAD_REQUEST, field(e) + ": there is no such field");
        } catch (StreamReadException e) {
            throw new ControlException(
                    ControlException.BAD_REQUEST,
                    "the body is no JSON: " + firstLine(e.getOriginalMessage()) + " in line "
                            + e.getLocation().getLineNr() + ", column "
                            + e.getLocation().getColumnNr());
        } catch (DatabindException e) {
            String field = field(e);
            throw new ControlException(
                    ControlException.BAD_REQUEST,
                    field.isEmpty() ? "the body is not an object" : field + ": has a value of another type");
        } catch (JacksonException e) {
            throw new ControlException(ControlException.BAD_REQUEST, "the body: " + firstLine(e.getOriginalMessage()));
        }
    }

    private static String field(JacksonException e) {
        return e.getPath().stream()
                .map(JacksonException.Reference::getPropertyName)
                .filter(name -> name != null)
                .collect(Collectors.joining("."));
    }

    private static String firstLine(String text) {
        return text.lines().findFirst().orElse("");
    }
}
