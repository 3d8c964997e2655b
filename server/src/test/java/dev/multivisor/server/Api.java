package dev.multivisor.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.swagger.v3.oas.models.OpenAPI;
import io.swagger.v3.oas.models.PathItem;
import io.swagger.v3.oas.models.media.Schema;
import io.swagger.v3.oas.models.responses.ApiResponse;
import io.swagger.v3.parser.OpenAPIV3Parser;
import io.swagger.v3.parser.core.models.SwaggerParseResult;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/** The description of the API, and whether an answer is as it says. */
final class Api {
    private static final String SCHEMA = "#/components/schemas/";
    private static final String RESPONSE = "#/components/responses/";

    final OpenAPI description;

    Api() throws IOException {
        String text;
        try (var in = ControlServer.class.getResourceAsStream("openapi.yaml")) {
            text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
        SwaggerParseResult result = new OpenAPIV3Parser().readContents(text);
        assertEquals(List.of(), result.getMessages());
        description = result.getOpenAPI();
    }

    /** Asserts that a path answers a method with this status and this type of content, and that the content is so. */
    void check(String path, String method, int status, String type, JsonNode content) {
        var operation = description.getPaths().get(path).readOperationsMap().get(PathItem.HttpMethod.valueOf(method));
        ApiResponse response = operation.getResponses().get("" + status);
        String where = method + " " + path + " " + status;
        assertTrue(response != null, where + " is not documented");
        if (response.get$ref() != null) {
            response = description
                    .getComponents()
                    .getResponses()
                    .get(response.get$ref().substring(RESPONSE.length()));
        }
        String plain = type.replaceAll(";.*", "");
        assertEquals(Set.of(plain), response.getContent().keySet(), where);
        check(content, response.getContent().get(plain).getSchema(), where);
    }

    private void check(JsonNode value, Schema<?> documented, String where) {
        Schema<?> schema = documented;
        if (schema.get$ref() != null) {
            schema = description
                    .getComponents()
                    .getSchemas()
                    .get(schema.get$ref().substring(SCHEMA.length()));
        }
        String type = schema.getTypes().iterator().next();
        switch (type) {
            case "object" -> checkObject(value, schema, where);
            case "array" -> {
                assertTrue(value.isArray(), where + ": " + value);
                for (JsonNode element : value) {
                    check(element, schema.getItems(), where + "[]");
                }
            }
            case "string" -> {
                assertTrue(value.isString(), where + ": " + value);
                assertTrue(schema.getEnum() == null || schema.getEnum().contains(value.asString()), where + value);
            }
            case "integer" -> assertTrue(value.isIntegralNumber() && value.asLong() >= 0, where + ": " + value);
            case "boolean" -> assertTrue(value.isBoolean(), where + ": " + value);
            default -> fail(where + ": " + type);
        }
    }

    private void checkObject(JsonNode value, Schema<?> schema, String where) {
        assertTrue(value.isObject(), where + ": " + value);
        if (schema.getRequired() != null) {
            schema.getRequired().forEach(field -> assertTrue(value.has(field), where + ": lacks " + field));
        }
        for (Map.Entry<String, JsonNode> field : value.properties()) {
            Schema<?> inner = schema.getProperties() == null
                    ? (Schema<?>) schema.getAdditionalProperties()
                    : (Schema<?>) schema.getProperties().get(field.getKey());
            assertTrue(inner != null, where + ": has the undocumented " + field.getKey());
            check(field.getValue(), inner, where + "." + field.getKey());
        }
    }
}
