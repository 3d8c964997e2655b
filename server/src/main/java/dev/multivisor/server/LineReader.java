package dev.multivisor.server;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Function;
import org.eclipse.jetty.client.Request;
import org.eclipse.jetty.client.Response;
import org.eclipse.jetty.client.Result;

/**
 * Reads lines as they come, on the thread that gets them from the socket: to wake another for it takes as long as
 * all the rest when the processors are busy.
 */
final class LineReader<T> implements Response.Listener {
    private final Function<byte[], T> parser;
    private final Consumer<T> consumer;

    /** A line that has not come whole; the whole answer if it is a problem. */
    private final ByteArrayOutputStream part = new ByteArrayOutputStream();

    private final CompletableFuture<Response> begun = new CompletableFuture<>();

    /** The answer's status, once all of it is read or the other end has gone. */
    private final CompletableFuture<Integer> ended = new CompletableFuture<>();

    LineReader(Function<byte[], T> parser, Consumer<T> consumer) {
        this.parser = parser;
        this.consumer = consumer;
    }

    /**
     * Sends the request and reads until there is no more.
     *
     * @param patience how long the answer may take to begin
     * @throws ControlException if the answer tells a problem; what the consumer throws ends it too
     */
    void read(Request request, Duration patience) throws InterruptedException, ExecutionException, TimeoutException {
        request.send(this);
        try {
            begun.get(patience.toMillis(), TimeUnit.MILLISECONDS);
            int status = end();
            if (status != 200) {
                throw ControlClient.problem(status, part.toByteArray());
            }
        } catch (InterruptedException | TimeoutException e) {
            request.abort(e);
            throw e;
        }
    }

    private int end() throws InterruptedException, ExecutionException {
        try {
            return ended.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException own) {
                throw own;
            }
            throw e;
        }
    }

    @Override
    public void onHeaders(Response response) {
        begun.complete(response);
    }

    @Override
    public void onContent(Response response, ByteBuffer content) {
        while (content.hasRemaining()) {
            byte next = content.get();
            if (next != '\n' || response.getStatus() != 200) {
                part.write(next);
            } else if (part.size() > 0) {
                byte[] line = part.toByteArray();
                part.reset();
                try {
                    consumer.accept(parser.apply(line));
                } catch (Throwable e) {
                    ended.completeExceptionally(e);
                    throw e;
                }
            }
        }
    }

    @Override
    public void onComplete(Result result) {
        if (begun.isDone()) {
            // A process that goes without a farewell ends the lines, too.
            ended.complete(result.getResponse().getStatus());
        } else {
            begun.completeExceptionally(result.getFailure());
        }
    }
}
