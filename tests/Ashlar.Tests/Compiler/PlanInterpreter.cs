using Ashlar.Compiler.Planning;
using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Tests.Compiler;

/// <summary>Runs a plan with the tile interpreter: proves kernels, order and sharing without machine code.</summary>
static class PlanInterpreter
{
    public static Value[] Run(Plan plan, IReadOnlyList<Value> arguments, Func<Symbol, long>? symbols = null)
    {
        symbols ??= symbol => throw new InvalidOperationException(symbol.Name);
        var memory = new Dictionary<PlannedValue, double[]>();
        foreach (var value in plan.Values)
        {
            var home = plan.Home(value);
            if (memory.ContainsKey(home)) continue;
            memory[home] = home.Residence == Residence.Parameter
                ? (double[])arguments[home.Slot].Data.Clone()
                : NaNs(home.Node.Shape.Elements.Evaluate(symbols));
        }
        foreach (var launch in plan.Launches)
        {
            TileVerifier.Check(launch.Kernel.Program);
            var buffers = new Dictionary<TileBuffer, double[]>();
            for (int i = 0; i < launch.Values.Count; i++)
                buffers[launch.Kernel.Program.Buffers[i]] = memory[plan.Home(plan.Values[launch.Values[i]])];
            TileInterpreter.Run(launch.Kernel.Program, buffers, symbols);
        }
        return [.. plan.Function.Results.Select(result =>
        {
            var value = plan.Values.First(candidate => candidate.Node == result);
            return new Value(memory[plan.Home(value)], [.. result.Shape.Select(extent => extent.Evaluate(symbols))]);
        })];
    }

    static double[] NaNs(long count)
    {
        var data = new double[count];
        Array.Fill(data, double.NaN);
        return data;
    }
}
