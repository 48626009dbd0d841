using System.Diagnostics;
using System.Runtime.InteropServices;
using Ashlar.Compiler.Planning;
using Ashlar.Runtime;
using Buffer = Ashlar.Runtime.Buffer;

namespace Ashlar.Backends.Cpu.Programs;

/// <summary>A compiled function: a flat list of launches over one arena.</summary>
/// <remarks>
/// A run writes the callers' addresses into the launches' address tables, then runs the launches in order. What depends on
/// symbols (offsets, sizes, the arena) is bound once per combination of their values and kept.
/// </remarks>
sealed class CpuProgram : IProgram
{
    // A server sees many token counts; each binding holds an arena, so only the latest few are kept.
    const int MostBindings = 8;

    readonly Plan plan;
    readonly CpuKernel[] kernels;
    readonly Workers workers;
    readonly List<Binding> bindings = [];
    readonly Lock gate = new();

    public CpuProgram(Plan plan, CpuKernel[] kernels, Workers workers)
    {
        this.plan = plan;
        this.kernels = kernels;
        this.workers = workers;
    }

    public IReadOnlyList<Symbol> Symbols => plan.Symbols;

    public string Describe() => plan.Describe(MemoryPlan.Of(plan, symbol => Math.Clamp(512, symbol.Min, symbol.Max)));

    public void Prepare(ReadOnlySpan<long> symbols)
    {
        lock (gate)
        {
            Bound(symbols);
        }
    }

    public void Run(ReadOnlySpan<Buffer> inputs, ReadOnlySpan<Buffer> outputs, ReadOnlySpan<long> symbols)
    {
        lock (gate)
        {
            Bound(symbols).Run(inputs, outputs);
        }
    }

    /// <summary>Runs once and adds the time of each launch, in ticks of the stopwatch, to the entry of its number.</summary>
    /// <param name="ticks">One entry per launch of the plan.</param>
    internal void Profile(ReadOnlySpan<Buffer> inputs, ReadOnlySpan<Buffer> outputs, ReadOnlySpan<long> symbols, Span<long> ticks)
    {
        lock (gate)
        {
            Bound(symbols).Run(inputs, outputs, ticks);
        }
    }

    /// <summary>The launches in order, for profiles and reports.</summary>
    internal IReadOnlyList<Launch> Launches => plan.Launches;

    Binding Bound(ReadOnlySpan<long> symbols)
    {
        for (int i = 0; i < bindings.Count; i++)
        {
            if (!bindings[i].Symbols.AsSpan().SequenceEqual(symbols)) continue;
            var found = bindings[i];
            if (i > 0)
            {
                bindings.RemoveAt(i);
                bindings.Insert(0, found);
            }
            return found;
        }
        if (bindings.Count == MostBindings)
        {
            bindings[^1].Dispose();
            bindings.RemoveAt(bindings.Count - 1);
        }
        bindings.Insert(0, new(plan, kernels, symbols.ToArray(), workers));
        return bindings[0];
    }

    /// <summary>The program for one combination of symbol values.</summary>
    sealed unsafe class Binding : IDisposable
    {
        // Where a caller's address goes: entry Place of the address tables takes that of parameter or result Slot.
        readonly record struct Patch(int Place, int Slot);

        readonly CpuLaunch[] launches;
        readonly Patch[] parameters;
        readonly Patch[] results;
        readonly NativeBuffer arena;
        readonly NativeBuffer scratch;
        readonly nint* addresses;

        public Binding(Plan plan, CpuKernel[] kernels, long[] symbols, Workers workers)
        {
            Symbols = symbols;
            long ValueOf(Symbol symbol) => symbols[plan.Symbols.IndexOf(symbol)];
            var memory = MemoryPlan.Of(plan, ValueOf);
            arena = NativePool.Shared.Rent(Math.Max(memory.ArenaBytes, 1));
            addresses = (nint*)NativeMemory.AllocZeroed((nuint)Math.Max(1, plan.Launches.Sum(launch => launch.Values.Count)),
                (nuint)sizeof(nint));

            var (fromParameters, fromResults) = (new List<Patch>(), new List<Patch>());
            var places = new int[kernels.Length];
            int place = 0;
            for (int i = 0; i < kernels.Length; i++)
            {
                places[i] = place;
                foreach (int value in plan.Launches[i].Values)
                {
                    var home = plan.Home(plan.Values[value]);
                    if (home.Residence == Residence.Parameter) fromParameters.Add(new(place, home.Slot));
                    else if (home.Residence == Residence.Result) fromResults.Add(new(place, home.Slot));
                    else addresses[place] = arena.Address + (nint)memory.Offsets[home.Index];
                    place++;
                }
            }
            // Binding a product compiles the engine's micro-kernels: work for every thread.
            launches = new CpuLaunch[kernels.Length];
            var table = addresses;
            Compiling.Each(kernels.Length, workers.Count,
                i => launches[i] = kernels[i].Bind(ValueOf, table + places[i], workers));
            long mostScratch = launches.Select(launch => launch.ScratchBytes).Append(1).Max();
            (parameters, results) = ([.. fromParameters], [.. fromResults]);
            scratch = NativePool.Shared.Rent(mostScratch);
        }

        ~Binding() => NativeMemory.Free(addresses);

        public long[] Symbols { get; }

        public void Run(ReadOnlySpan<Buffer> inputs, ReadOnlySpan<Buffer> outputs)
        {
            Patched(inputs, outputs);
            var memory = (byte*)scratch.Address;
            foreach (var launch in launches) launch.Run(memory);
            GC.KeepAlive(this);
        }

        public void Run(ReadOnlySpan<Buffer> inputs, ReadOnlySpan<Buffer> outputs, Span<long> ticks)
        {
            Patched(inputs, outputs);
            var memory = (byte*)scratch.Address;
            for (int i = 0; i < launches.Length; i++)
            {
                long start = Stopwatch.GetTimestamp();
                launches[i].Run(memory);
                ticks[i] += Stopwatch.GetTimestamp() - start;
            }
            GC.KeepAlive(this);
        }

        void Patched(ReadOnlySpan<Buffer> inputs, ReadOnlySpan<Buffer> outputs)
        {
            foreach (var patch in parameters) addresses[patch.Place] = inputs[patch.Slot].Address;
            foreach (var patch in results) addresses[patch.Place] = outputs[patch.Slot].Address;
        }

        public void Dispose()
        {
            arena.Release();
            scratch.Release();
            NativeMemory.Free(addresses);
            GC.SuppressFinalize(this);
        }
    }
}
