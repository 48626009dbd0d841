using Ashlar.Graph;

namespace Ashlar.Tiles;

/// <summary>The text form of tile programs. Its grammar is docs/tile-text.md.</summary>
/// <remarks>
/// Names are canonical: buffers b0, b1, ... in the order of the list, tiles t0, ... in the order of allocation, variables by the
/// depth of their scope. Equal structure gives equal text, whatever objects it is made of, so the text of a program is also its
/// identity.
/// </remarks>
public static class TileText
{
    /// <summary>The program with canonical names; <see cref="Parse"/> reads it back.</summary>
    public static string Print(TileProgram program) => Canonical(program, program.Name);

    /// <summary>The program with the names that its buffers, tiles and variables were given: for people; names may
    /// repeat.</summary>
    public static string PrintNamed(TileProgram program) => new TextPrinter(prefix: null).Program(program, program.Name);

    /// <summary>What two programs share exactly when they are the same kernel: everything but names of the kernel and its
    /// parts.</summary>
    public static string Key(TileProgram program) => Canonical(program, name: "_");

    /// <summary>The program that the text describes, on new buffers, tiles and variables.</summary>
    /// <exception cref="KernelException">The text does not follow the grammar (ASH0540) or names what is not declared
    /// (ASH0541).</exception>
    public static TileProgram Parse(string text) => new TextParser(text).Program();

    /// <summary>A statement on one line with given names, of a loop or a branch the head alone: for people.</summary>
    public static string Line(Statement statement) => new TextPrinter(prefix: null).Line(statement);

    /// <summary>An expression on one line with given names: for people.</summary>
    public static string Line(Node expression) => new TextPrinter(prefix: null).Line(expression);

    // Canonical names are a letter and a number. Should a symbol be called like one, underscores go before all of them.
    static string Canonical(TileProgram program, string name)
    {
        for (string prefix = ""; ; prefix += "_")
        {
            var printer = new TextPrinter(prefix);
            string text = printer.Program(program, name);
            if (!printer.Collides) return text;
        }
    }
}

/// <summary>Words that printer and parser share.</summary>
static class TextWords
{
    /// <summary>How tightly an infix op binds; 0 for ops written as functions.</summary>
    public static int Strength(Op op) => op switch
    {
        Op.Or => 1,
        Op.Xor => 2,
        Op.And => 3,
        Op.Less or Op.LessEqual or Op.Equal or Op.NotEqual => 4,
        Op.Shl or Op.Shr => 5,
        Op.Add or Op.Sub => 6,
        Op.Mul or Op.Div or Op.Mod => 7,
        Op.Neg or Op.Not => 8,
        _ => 0,
    };

    /// <summary>The infix ops and their signs. Longer signs come first.</summary>
    public static readonly (string Sign, Op Op)[] Infix =
    [
        ("<<", Op.Shl), (">>", Op.Shr), ("<=", Op.LessEqual), ("==", Op.Equal), ("!=", Op.NotEqual), ("<", Op.Less),
        ("+", Op.Add), ("-", Op.Sub), ("*", Op.Mul), ("/", Op.Div), ("%", Op.Mod), ("&", Op.And), ("^", Op.Xor), ("|", Op.Or),
    ];

    /// <summary>The sign of each infix or prefix op, by op; null for ops written as functions.</summary>
    public static readonly string?[] Signs = MakeSigns();

    /// <summary>Words that mean a value, so no symbol can have them as its name.</summary>
    public static readonly string[] Reserved = ["true", "false", "inf", "nan"];

    static string?[] MakeSigns()
    {
        var signs = new string?[256];
        foreach (var (sign, op) in Infix) signs[(int)op] = sign;
        (signs[(int)Op.Neg], signs[(int)Op.Not]) = ("-", "!");
        return signs;
    }
}
