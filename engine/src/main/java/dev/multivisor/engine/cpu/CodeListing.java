package dev.multivisor.engine.cpu;

/**
 * Compiled code as people read it.
 *
 * @param instructions how many guest instructions it was made of
 * @param guestBytes how long these are
 * @param bytecodeBytes how long the method's code is
 * @param classBytes how long the class file is
 * @param text each guest instruction, and below it what was made of it
 */
public record CodeListing(int instructions, int guestBytes, int bytecodeBytes, int classBytes, String text) {}
