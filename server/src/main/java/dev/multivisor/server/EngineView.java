package dev.multivisor.server;

import java.util.List;

/**
 * An engine that machines can move to.
 *
 * @param version its version
 * @param contract the contract that it was built against
 * @param path its JAR
 * @param machines names of the machines of this process that are on it
 */
public record EngineView(String version, int contract, String path, List<String> machines) {}
