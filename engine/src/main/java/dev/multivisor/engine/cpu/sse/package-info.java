/** MMX and SSE to SSE4.2 (Intel SDM vol. 1, chapters 9 to 12). */
package dev.multivisor.engine.cpu.sse;
