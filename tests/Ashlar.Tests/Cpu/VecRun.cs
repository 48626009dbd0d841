using System.Runtime.InteropServices;
using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Vec;

namespace Ashlar.Tests.Cpu;

/// <summary>Builds, compiles and runs small Vec functions over managed arrays.</summary>
static unsafe class VecRun
{
    public static TheoryData<string> Paths => new(Isa.Available.Select(isa => isa.Name));

    public static Isa Parse(string path) => Isa.Available.Single(isa => isa.Name == path);

    /// <summary>Every number of lanes that the path uses for values of this element.</summary>
    public static int[] LanesOf(Isa isa, Elem elem) =>
        [.. new[] { 1, 2, 4, 8, 16 }.Where(l => l * new VecType(elem, 1).ElemBytes <= isa.VectorBytes)];

    /// <summary>Runs a kernel over pinned arrays.</summary>
    public static void Run(VecFunction function, long begin, long end, long[] sizes, params Array[] buffers)
    {
        var entry = VecCompiler.Compile<KernelEntry>(function);
        var handles = Array.ConvertAll(buffers, b => GCHandle.Alloc(b, GCHandleType.Pinned));
        nint[] addresses = Array.ConvertAll(handles, h => h.AddrOfPinnedObject());
        fixed (nint* b = addresses)
        fixed (long* s = sizes)
            entry(b, s, begin, end, null);
        foreach (var handle in handles) handle.Free();
    }

    /// <summary>Computes <c>out[i] = body(in0[i], in1[i], ...)</c> for whole vectors, the element types as in memory.</summary>
    public static void Map(Isa isa, int lanes, Func<VecBuilder, Reg[], Reg> body, (Array Data, DType Type) result,
        params (Array Data, DType Type)[] inputs)
    {
        var f = VecBuilder.Kernel("map", isa);
        var bases = inputs.Select((_, i) => f.Buffer(i + 1)).ToArray();
        var output = f.Buffer(0);
        f.Loop(f.Begin, f.End, lanes, i =>
        {
            var values = inputs.Select((input, k) =>
                f.Load(VecType.Of(input.Type, lanes), input.Type, VecBuilder.At(bases[k], i * input.Type.Bytes))).ToArray();
            f.Store(VecBuilder.At(output, i * result.Type.Bytes), result.Type, body(f, values));
        });
        int count = result.Data.Length;
        Assert.True(count % lanes == 0, "the helper runs whole vectors");
        Run(f.Build(), 0, count, [], [result.Data, .. inputs.Select(i => i.Data)]);
    }
}
