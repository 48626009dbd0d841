namespace Ashlar.Graph;

/// <summary>Rows of the ops that hold functions or order computation.</summary>
static class Regions
{
    public static readonly Meaning[] Rows =
    [
        new(Op.Barrier, "barrier", (x, _) =>
        {
            if (x.Length == 0) throw new GraphException("ASH0302", "Barrier takes at least one input, but got none.", "pass the value first.");
            return new(x[0].DType, x[0].Shape);
        }),
        new(Op.Custom, "custom", (x, a) =>
        {
            var custom = Rules.Expect<CustomAttributes>(Op.Custom, a);
            Rules.Arity(Op.Custom, x, custom.Forward.Parameters.Count);
            for (int i = 0; i < x.Length; i++)
                if (x[i].Shape != custom.Forward.Parameters[i].Shape || x[i].DType != custom.Forward.Parameters[i].DType)
                    throw new ShapeException("ASH0125", $"'{custom.Name}' takes {Rules.Types(custom.Forward.Parameters)}, but got {Rules.Types(x)}.", "pass what the function was traced with.");
            return new(custom.Forward.Results[0].DType, custom.Forward.Results[0].Shape);
        }),
    ];
}
