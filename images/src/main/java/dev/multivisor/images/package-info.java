/** Multivisor: images. */
package dev.multivisor.images;
