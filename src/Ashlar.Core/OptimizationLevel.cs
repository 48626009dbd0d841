namespace Ashlar;

/// <summary>How hard the compiler works on a program.</summary>
public enum OptimizationLevel
{
    /// <summary>One kernel per op, no rewriting: to find out whether a pass is at fault.</summary>
    O0,
    /// <summary>Simplification and fusion.</summary>
    O1,
    /// <summary>The whole graph: composites, merged products, fused prologues and epilogues, tuned kernels.</summary>
    O2,
}
