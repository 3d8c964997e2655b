/** The command line: what a person types, and how a run's end becomes a line of text and an exit status. */
package dev.multivisor.cli;
