using Ashlar.Bench;
using Ashlar.Cli;

// One file per verb; this list is the command line.
return await CommandLine.Run(
[
    EnvCommand.Define(),
    BenchCommand.Define(CpuStage.Make),
], args);
