package dev.multivisor.engine.jit;

/**
 * Where an instruction stands.
 *
 * @param offset of its first byte from the region's entry, in linear addresses
 * @param next offset of the instruction after it
 * @param done instructions of its block that are done before it
 * @param flagsDead whether nobody sees the flags after it
 */
record Place(int offset, int next, int done, boolean flagsDead) {}
