/** Control of running machines: HTTP with JSON over a Unix socket, both ends of it. */
package dev.multivisor.server;
