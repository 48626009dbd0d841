namespace Ashlar.Compiler.Passes;

/// <summary>All laws together: what the pass "simplify" applies.</summary>
static class Simplify
{
    public static RuleSet Rules { get; } = new("simplify") { Algebra.Rules, ConstantFolding.Rules, MovementRules.Rules };
}
