using Ashlar.Cli;

// One file per verb; this list is the command line.
return await CommandLine.Run(
[
    EnvCommand.Define(),
], args);
