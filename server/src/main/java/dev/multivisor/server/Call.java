package dev.multivisor.server;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.OptionalLong;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/**
 * A request on a route, and the way to answer it.
 *
 * @param names what stands in the path where the route has names in braces
 */
record Call(Request request, Response response, Callback callback, Map<String, String> names) {
    private static final int LONGEST_BODY = 1 << 16;

    /** A part of the path. */
    String name(String name) {
        return names.get(name);
    }

    /**
     * Whether a parameter of the query is {@code true}.
     *
     * @throws ControlException if it is anything but true, false or absent
     */
    boolean flag(String name) {
        String value = Request.extractQueryParameters(request).getValue(name);
        if (value != null && !value.equals("true") && !value.equals("false")) {
            throw new ControlException(ControlException.BAD_REQUEST, name + ": \"" + value + "\" is not true or false");
        }
        return "true".equals(value);
    }

    /**
     * A parameter of the query that is an address in hexadecimal, with or without {@code 0x}; empty if it is absent.
     *
     * @throws ControlException if it is anything else
     */
    OptionalLong address(String name) {
        String value = Request.extractQueryParameters(request).getValue(name);
        if (value == null) {
            return OptionalLong.empty();
        }
        try {
            return OptionalLong.of(ControlClient.address(value));
        } catch (IllegalArgumentException e) {
            throw new ControlException(ControlException.BAD_REQUEST, name + ": " + e.getMessage());
        }
    }

    /**
     * What the client sent, as JSON; an empty body is an empty object.
     *
     * @throws ControlException naming the field that is wrong
     */
    <T> T body(Class<T> type) throws IOException {
        byte[] bytes;
        try (InputStream in = Content.Source.asInputStream(request)) {
            bytes = in.readNBytes(LONGEST_BODY + 1);
        }
        if (bytes.length > LONGEST_BODY) {
            throw new ControlException(
                    ControlException.BAD_REQUEST, "the body is longer than " + LONGEST_BODY + " bytes");
        }
        return Json.read(new String(bytes, StandardCharsets.UTF_8), type);
    }

    /** Answers with an object. */
    void answer(int status, Object value) {
        answer(status, "application/json", Json.STRICT.writeValueAsBytes(value));
    }

    /** Answers with anything. */
    void answer(int status, String type, byte[] bytes) {
        begin(status, type);
        response.getHeaders().put(HttpHeader.CONTENT_LENGTH, bytes.length);
        response.write(true, ByteBuffer.wrap(bytes), callback);
    }

    /** Begins an answer whose content follows. */
    void begin(int status, String type) {
        response.setStatus(status);
        response.getHeaders().put(HttpHeader.CONTENT_TYPE, type);
    }
}
