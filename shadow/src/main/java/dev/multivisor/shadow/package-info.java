/** A shadow of a page table of several levels that a guest keeps in its memory. */
package dev.multivisor.shadow;
