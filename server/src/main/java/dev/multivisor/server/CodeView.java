package dev.multivisor.server;

import java.util.Optional;

/**
 * What a machine's engine has made of guest code.
 *
 * @param machine the machine's name
 * @param engine version of the engine that it is on
 * @param address the guest-virtual address that was asked for, in hexadecimal; absent for a list of the busiest
 * @param text lines for people
 */
public record CodeView(String machine, String engine, Optional<String> address, String text) {}
