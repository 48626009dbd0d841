using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Ashlar.Backends.Cpu;
using Ashlar.Graph;
using Ashlar.Kernels;
using Ashlar.Runtime.Tuning;
using Ashlar.Tiles;
using Spectre.Console;

namespace Ashlar.Cli;

/// <summary><c>ashlar kernel</c>: the kernels that come with Ashlar, their text at every stage, runs and speed.</summary>
static class KernelCommand
{
    // Double precision, element by element: larger sizes take minutes.
    const long MostInterpreted = 64;

    /// <param name="prepare">Registers the device.</param>
    public static Command Define(Action prepare) =>
        new Verb("kernel", "List, show, run, measure and tune the kernels that come with Ashlar.")
        {
            Subcommands =
                { List(), Show(), Run(prepare), Bench(prepare), KernelTuneCommand.Define(() => TuningCache.Current, prepare) },
            Examples =
        [
            ("ashlar kernel list", "what there is"),
            ("ashlar kernel show flash_attention", "its tile program"),
            ("ashlar kernel show softmax --stage vec --size 100", "what the CPU makes of it for 100 rows"),
            ("ashlar kernel bench matmul --size 512", "its speed as a share of this machine's peak"),
            ("ashlar kernel tune matmul --m 512 --dtype bf16", "the fastest blocks of a product, kept for later"),
        ],
        };

    static Verb List()
    {
        var verb = new Verb("list", "List the kernels: name, what they compute, inputs and outputs.");
        verb.SetAction((parsed, _) =>
        {
            var table = new Table().Border(TableBorder.None).AddColumns("name", "computes", "inputs", "outputs");
            foreach (var kernel in KernelLibrary.All)
                table.AddRow(new Text(kernel.Name), new Text(kernel.Meaning), new Text(Buffers(kernel, written: false)),
                    new Text(Buffers(kernel, written: true)));
            Screen.On(parsed.InvocationConfiguration.Output).Write(table);
            return Task.FromResult(0);
        });
        return verb;

        static string Buffers(LibraryKernel kernel, bool written) =>
            string.Join("\n", kernel.Kernel.Program.Buffers.Where(buffer => buffer.Written == written).Select(buffer =>
                buffer.ToString()));
    }

    static Verb Show()
    {
        var (name, size) = (Name(), Size());
        var stage = new Option<string>("--stage")
        {
            Description = "tile: statements with the names of the definition; text: the same with canonical names; scheduled: "
                + "what runs as one loop, in which vectors, on which unit; vec: registers and loops of the CPU; disassembly: "
                + "machine code.",
            DefaultValueFactory = _ => "tile",
        };
        stage.AcceptOnlyFromAmong("tile", "text", "scheduled", "vec", "disassembly");
        string[] paths = [.. Isa.Available.Select(path => path.Name)];
        var isa = new Option<string>("--isa")
        {
            Description = $"The instruction path from scheduled on: {string.Join(", ", paths)}.",
            HelpName = "path",
        };
        isa.AcceptOnlyFromAmong(paths);
        var verb = new Verb("show", "Print a kernel at a stage of its compilation.")
        {
            Arguments = { name },
            Options = { stage, size, isa }
        };
        verb.SetAction((parsed, _) =>
        {
            var kernel = KernelLibrary.Find(parsed.GetValue(name)!)!;
            var program = parsed.GetValue(size) is { } number ? kernel.For(number).Program : kernel.Kernel.Program;
            var path = Isa.Available.FirstOrDefault(path => path.Name == parsed.GetValue(isa), Isa.Chosen);
            parsed.InvocationConfiguration.Output.Write(parsed.GetValue(stage) switch
            {
                "vec" => KernelListing.Vec(program, path),
                "scheduled" => KernelListing.Schedule(program, path),
                "disassembly" => KernelListing.Disassembly(program, path),
                "text" => TileText.Print(program),
                _ => TileText.PrintNamed(program),
            });
            return Task.FromResult(0);
        });
        return verb;
    }

    static Verb Run(Action prepare)
    {
        var (name, size) = (Name(), Size());
        var verb = new Verb("run", "Run a kernel on random numbers and compare it with the interpreter.")
        {
            Arguments = { name },
            Options = { size }
        };
        verb.SetAction((parsed, _) =>
        {
            prepare();
            var kernel = KernelLibrary.Find(parsed.GetValue(name)!)!;
            long number = parsed.GetValue(size) ?? Math.Min(kernel.Size, MostInterpreted);
            var inputs = Random(kernel, number);
            var results = kernel.Kernel.CallAll(inputs);
            var expected = kernel.For(number).Evaluate([.. inputs.Select(input =>
                new Value(input.Cast(DType.Float64).ToArray<double>(), input.Shape.Values))]);
            var output = parsed.InvocationConfiguration.Output;
            for (int i = 0; i < results.Length; i++)
            {
                output.WriteLine(results[i]);
                double[] found = results[i].Cast(DType.Float64).ToArray<double>();
                // The number itself goes with its difference: one of 1e-3 is little where sums are 1e4, and wrong where they are
                // 1.
                var (difference, value) = found.Zip(expected[i].Data, (a, b) => (a.Equals(b) ? 0 : Math.Abs(a - b), b))
                    .DefaultIfEmpty().MaxBy(pair => pair.Item1);
                output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"greatest difference from the interpreter, where that gives {value:G4}: {difference:0.0e0}"));
            }
            return Task.FromResult(0);
        });
        return verb;
    }

    static Verb Bench(Action prepare)
    {
        var (name, size) = (Name(), Size());
        var json = new Option<bool>("--json") { Description = "Print one JSON object." };
        var verb = new Verb("bench",
            "Measure a kernel as a share of this machine's limits, sampled in turn with it.")
        {
            Arguments = { name },
            Options = { size, json }
        };
        verb.SetAction((parsed, cancellation) =>
        {
            prepare();
            var kernel = KernelLibrary.Find(parsed.GetValue(name)!)!;
            long number = parsed.GetValue(size) ?? kernel.Size;
            var limits = new Limits(Isa.Chosen);
            var bound = kernel.Flops is null ? Limit.Read : Limit.Fma;
            double work = kernel.Flops?.Invoke(number) ?? kernel.For(number).Program.Buffers.Sum(buffer =>
                (double)buffer.Shape.Elements.Value * buffer.DType.Bytes);
            var rates = new List<double>();
            var shares = new List<double>();
            var step = Step(kernel, number);
            step();
            for (var watch = Stopwatch.StartNew(); rates.Count < 5 || watch.Elapsed.TotalSeconds < 3 && rates.Count < 100;)
            {
                cancellation.ThrowIfCancellationRequested();
                double peak = limits.Sample(bound, limits.Threads);
                long start = Stopwatch.GetTimestamp();
                step();
                rates.Add(work / 1e9 / Stopwatch.GetElapsedTime(start).TotalSeconds);
                shares.Add(rates[^1] / peak);
            }
            string unit = kernel.Flops is null ? "GB/s" : "GFLOP/s", of = Limits.NameOf(bound);
            var output = parsed.InvocationConfiguration.Output;
            if (parsed.GetValue(json))
                output.WriteLine(new JsonObject
                {
                    ["kernel"] = kernel.Name,
                    ["size"] = number,
                    ["rate"] = Median(rates),
                    ["unit"] = unit,
                    ["share"] = Median(shares),
                    ["of"] = of,
                    ["threads"] = limits.Threads,
                    ["isa"] = Isa.Chosen.Name,
                }.ToJsonString());
            else
                output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{kernel.Name}, size {number}: {Median(rates):0.#} {unit}, {Median(shares):0.0%} of this machine's {of} "
                    + $"on {limits.Threads} threads ({Isa.Chosen.Name})"));
            return Task.FromResult(0);
        });
        return verb;
    }

    // One compiled launch, on inputs that stay where they are.
    static Action Step(LibraryKernel kernel, long size)
    {
        var x = Random(kernel, size);
        var step = Compiled.Function((Tensor first) => kernel.Kernel.CallAll([first, .. x.Skip(1)])[0]);
        return () => step(x[0]);
    }

    internal static Tensor[] Random(LibraryKernel kernel, long size)
    {
        Tensor[] inputs = [.. kernel.Inputs(size).Select((input, i) =>
            input.DType.IsFloat ? Tensor.RandomNormal(i + 1, input.Shape, input.DType)
            : (Tensor.Random(i + 1, input.Shape) * kernel.Classes).Floor().Cast(input.DType))];
        foreach (var input in inputs) input.Realize();
        return inputs;
    }

    static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    static Argument<string> Name()
    {
        string names = string.Join(", ", KernelLibrary.All.Select(kernel => kernel.Name));
        var name = new Argument<string>("name") { Description = $"The kernel: {names}." };
        name.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && KernelLibrary.Find(token.Value) is null)
                result.AddError($"'{token.Value}' is no kernel of the library. There are: {names}.");
        });
        return name;
    }

    static Option<long?> Size()
    {
        var size = new Option<long?>("--size")
        {
            Description = "Elements of a vector, rows of a matrix, side of a product, length of a sequence.",
            HelpName = "n",
        };
        size.Validators.Add(result =>
        {
            if (result.GetValue(size) is < 1) result.AddError("--size must be at least 1.");
        });
        return size;
    }
}
