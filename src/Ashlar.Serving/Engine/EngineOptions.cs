namespace Ashlar.Serving;

/// <summary>How an engine keeps its cache and cuts its work.</summary>
/// <param name="CacheType">
/// The element type of keys and values: bfloat16, int8, or float32, which costs twice the memory and is exact. Null takes float32
/// for models whose matrices are all float32, else bfloat16.
/// </param>
/// <param name="Context">Tokens that all texts together may have in the cache; null takes the model's context, at most
/// 4096.</param>
/// <param name="MostTexts">Texts that are read side by side.</param>
/// <param name="Chunk">Tokens of a prompt that one step reads.</param>
public sealed record EngineOptions(DType? CacheType = null, int? Context = null, int MostTexts = 8, int Chunk = 512)
{
    /// <summary>The context is what texts may need at most: the cache gets no more than <see cref="MostTexts"/> texts as long as
    /// the model's own context can fill. False gives it all of the context, also for texts that are kept while others are
    /// read.</summary>
    public bool IsBound { get; init; }
}
