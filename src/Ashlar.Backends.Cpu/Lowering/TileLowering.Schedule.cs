using System.Globalization;
using System.Text;
using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Backends.Cpu.Lowering;

// What the lowering decided, for people: which statements run as one loop, in which vectors, and on which unit products run.
internal sealed partial class TileLowering
{
    readonly StringBuilder? schedule;
    int scheduleDepth;

    void Note(string line) => schedule?.Append(' ', 2 * scheduleDepth).Append(line).Append('\n');

    // What code notes lies inside of what was noted before.
    void Noted(Action code)
    {
        scheduleDepth++;
        code();
        scheduleDepth--;
    }

    void NotePhase(string name, List<For> loops, bool hasLongSteps)
    {
        if (schedule is null) return;
        Note(loops.Count == 0
            ? $"{name}: once"
            : $"{name}: grid {string.Join(", ", loops.Select(loop => $"{loop.Variable.Name} < {TileText.Line(loop.Count)}"))}"
                + (hasLongSteps ? ", one step at a time to each worker" : ", in runs of steps to the workers"));
    }

    void NoteGroup(List<Statement> group, DomainAxis[] axes, LoopPlan plan)
    {
        if (schedule is null) return;
        string loops = string.Join(", ", axes.Select(axis => $"{axis.Variable.Name} < {TileText.Line(axis.Extent)}"));
        Note(plan.Axis < 0
            ? $"loop {loops}: one element at a time"
            : string.Create(CultureInfo.InvariantCulture, $"loop {loops}: vectors of {plan.Lanes} along {axes[plan.Axis].Variable.Name}, ")
                + string.Create(CultureInfo.InvariantCulture, $"{plan.Unroll} at a time, ")
                + (plan.CanMask ? "the last one masked" : "the rest one by one"));
        NoteStatements(group);
    }

    void NoteStatements(List<Statement> statements)
    {
        if (schedule is null) return;
        Noted(() =>
        {
            foreach (var statement in statements) Note(TileText.Line(statement));
        });
    }

    void NoteProduct(Dot dot, string how)
    {
        if (schedule is null) return;
        Note($"product {how}");
        NoteStatements([dot]);
    }
}
