using Ashlar.Backends.Cpu.Matrix;
using Ashlar.Backends.Cpu.Vec;
using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Backends.Cpu.Lowering;

// Right operands of dots that the tile unit takes, packed once per launch.
//
// How this works. A dot packs its right operand, which costs as much as some ten rows of the product. Where that operand is a
// part of an input and the loops around the dot come back to it (all tiles of queries see the same keys), the whole input is
// packed in a phase of its own before the kernel's, into memory that the workers share, and the dot is given panels. The memory
// is as large as the input. One input may be packed twice: for a product along its rows and for one along its columns.
internal sealed partial class TileLowering
{
    // Fewer uses do not pay for writing the panels to memory and reading them back.
    const long FewestUses = 4;

    // Columns that one step of a packing phase takes.
    const long ColumnsPerStep = 512;

    readonly Dictionary<(TileBuffer Buffer, int Column, int Inner, long Block, TileProduct Product), Packing> packings = [];
    readonly Dictionary<Dot, (Packing Packing, Affine Place)> packedRights = new(ReferenceEqualityComparer.Instance);
    readonly HashSet<Tile> sharedTiles = [];
    Extent shared = 0;

    /// <summary>An input as panels: for every other axis and every block of inner indices, all panels of columns.</summary>
    /// <param name="Panels">The memory, in bytes.</param>
    /// <param name="Buffer">What is packed.</param>
    /// <param name="Column">Its axis that is the dot's columns.</param>
    /// <param name="Inner">Its axis that the dot sums over.</param>
    /// <param name="Block">Inner indices of a block.</param>
    /// <param name="Product">What multiplies it.</param>
    /// <param name="PanelBytes">From one panel to the next.</param>
    /// <param name="Strides">Bytes from one index to the next: of each other axis, and on the inner axis from one block to the
    /// next.</param>
    sealed record Packing(Tile Panels, TileBuffer Buffer, int Column, int Inner, long Block, TileProduct Product, long PanelBytes,
        Extent[] Strides)
    {
        public long Steps => PanelBytes / Matrix.Tiles.StepBytes;
    }

    void PlanPackings(IReadOnlyList<Statement> body, ulong uses)
    {
        foreach (var statement in body)
        {
            if (statement is For loop)
                PlanPackings(loop.Body, loop.Variable.Count.Max >= FewestUses ? uses | Bit(loop.Variable) : uses);
            else if (statement is Tiles.If branch) PlanPackings(branch.Body, uses);
            else if (statement is Dot dot) Plan(dot, uses);
        }
    }

    void Plan(Dot dot, ulong uses)
    {
        LoopVariable j = dot.Column.Variable, k = dot.Inner.Variable;
        if (OnTiles(dot) is not { } product || Factors(dot) is not (_, var load)) return;
        if (load.Op != Op.Load || load.Source() is not TileBuffer { Written: false } buffer) return;
        if ((uses & ~Dependences(load).Variables) == 0) return;   // no loop comes back to the same part
        if (!k.Count.TryGetValue(out long block)) return;

        Affine[] indices = [.. load.Indices().Select(AffineOf)];
        int column = Array.FindIndex(indices, index => index.FactorOf(j.Index()) != 0),
            inner = Array.FindIndex(indices, index => index.FactorOf(k.Index()) != 0);
        if (column == inner || !Holds(column, j) || !Holds(inner, k)) return;
        var places = (Affine?[])[.. indices];
        places[column] = Quotient(indices[column] - Affine.Of(j), Matrix.Tiles.PanelSide);
        places[inner] = Quotient(indices[inner] - Affine.Of(k), block);
        if (places[column] is null || places[inner] is null) return;
        bool isWhole = places[inner] is { IsConstant: true } only && only.Constant == 0;   // one block
        if (isWhole ? buffer.Shape[inner] != block : block * product.ElementBytes % Matrix.Tiles.RowBytes != 0) return;

        var packing = PackingOf(buffer, column, inner, block, product);
        var place = Affine.Of(0);
        for (int axis = 0; axis < indices.Length; axis++) place += places[axis]! * packing.Strides[axis];
        packedRights[dot] = (packing, place);

        // The variable is in this index alone, by itself.
        bool Holds(int axis, LoopVariable variable) => axis >= 0 && indices[axis].FactorOf(variable.Index()) == 1
            && indices.Index().All(other => other.Index == axis || other.Item.FactorOf(variable.Index()) == 0);
    }

    static Affine? Quotient(Affine affine, long divisor)
    {
        if (!affine.Constant.TryDivide(divisor, out var constant)) return null;
        var quotient = Affine.Of(constant);
        foreach (var (atom, factor) in affine.Terms)
        {
            if (!factor.TryDivide(divisor, out var smaller)) return null;
            quotient += Affine.Of(atom) * smaller;
        }
        return quotient;
    }

    Packing PackingOf(TileBuffer buffer, int column, int inner, long block, TileProduct product)
    {
        var key = (buffer, column, inner, block, product);
        if (packings.TryGetValue(key, out var known)) return known;
        long panelBytes = Matrix.Tiles.Steps(block, product.ElementBytes) * Matrix.Tiles.StepBytes;
        var blockBytes = RoundedUp(buffer.Shape[column], Matrix.Tiles.PanelSide) * (panelBytes / Matrix.Tiles.PanelSide);
        var bytes = buffer.Shape[inner] == block
            ? blockBytes
            : RoundedUp(buffer.Shape[inner], block) * (blockBytes.TryDivide(block, out var each) ? each : blockBytes);
        var strides = new Extent[buffer.Shape.Rank];
        for (int axis = strides.Length - 1; axis >= 0; axis--)
        {
            if (axis == column) strides[axis] = panelBytes;
            else if (axis == inner) strides[axis] = blockBytes;
            else
            {
                strides[axis] = bytes;
                bytes *= buffer.Shape[axis];
            }
        }
        var panels = new Tile($"panels{packings.Count}", DType.UInt8, [bytes]);
        places[panels] = shared;
        sharedTiles.Add(panels);
        shared += bytes.TryGetValue(out long number) ? (number + 63) / 64 * 64 : bytes;   // panels are multiples of 64 bytes
        return packings[key] = new(panels, buffer, column, inner, block, product, panelBytes, strides);
    }

    // At least as many, a multiple where the number is known.
    static Extent RoundedUp(Extent extent, long multiple) =>
        extent.TryGetValue(out long number) ? (number + multiple - 1) / multiple * multiple
        : extent.TryDivide(multiple, out _) ? extent : extent + multiple;

    LoweredPhase PackingPhase(Packing packing, int number)
    {
        var shape = packing.Buffer.Shape;
        bool isWhole = packing.Block == shape[packing.Inner];
        var counts = new List<Node>();
        var variables = new LoopVariable[shape.Rank];
        for (int axis = 0; axis < shape.Rank; axis++)
        {
            Node size = Nodes.Size(shape[axis]);
            var count = axis == packing.Column ? Ceiling(size, TileNodes.Number(ColumnsPerStep))
                : axis == packing.Inner ? isWhole ? TileNodes.Number(1) : Ceiling(size, TileNodes.Number(packing.Block)) : size;
            variables[axis] = new($"p{axis}", shape[axis]);
            counts.Add(count);
        }
        Open($"{program.Name}_pack_{packing.Buffer.Name}{(number == 0 ? "" : $"_{number}")}");
        Note($"{program.Name}_pack_{packing.Buffer.Name}: all of {packing.Buffer} into panels for the tile unit");
        Grid([.. variables.Zip(counts, (variable, count) => new For(variable, count, LoopKind.Parallel, []))], 0, () =>
        {
            Node column = Nodes.Binary(Op.Mul, variables[packing.Column].Index(), TileNodes.Number(ColumnsPerStep));
            Node inner = isWhole
                ? TileNodes.Number(0)
                : Nodes.Binary(Op.Mul, variables[packing.Inner].Index(), TileNodes.Number(packing.Block));
            Node[] from = [.. variables.Select((variable, axis) =>
                axis == packing.Column ? column : axis == packing.Inner ? inner : variable.Index())];
            var to = Affine.Of(0);
            for (int axis = 0; axis < shape.Rank; axis++)
                to += Affine.Of(variables[axis])
                    * (packing.Strides[axis] * (axis == packing.Column ? ColumnsPerStep / Matrix.Tiles.PanelSide : 1));
            var strides = shape.Strides;
            var block = isWhole ? Nodes.Size(shape[packing.Inner]) : TileNodes.Number(packing.Block);
            f.Call(typeof(TileDots).GetMethod(nameof(TileDots.Pack))!,
                Pointer(AddressOf(packing.Buffer, Flat(packing.Buffer, from))), SizeOf(strides[packing.Column]),
                SizeOf(strides[packing.Inner]),
                One(Nodes.Min(TileNodes.Number(ColumnsPerStep), Nodes.Binary(Op.Sub, Nodes.Size(shape[packing.Column]), column))),
                One(Nodes.Min(block, Nodes.Binary(Op.Sub, Nodes.Size(shape[packing.Inner]), inner))),
                f.Const(packing.Steps), Pointer(AddressOf(packing.Panels, to)),
                f.Const(TileDots.KindOf(packing.Product, packing.Buffer.DType, packing.Buffer.DType, replaces: false)));
        });
        return new(f.Build(), counts);

        static Node Ceiling(Node a, Node b) =>
            Nodes.Binary(Op.Div, Nodes.Binary(Op.Add, a, Nodes.Binary(Op.Sub, b, TileNodes.Number(1))), b);
    }
}
