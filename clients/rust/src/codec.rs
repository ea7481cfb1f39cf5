//! How messages travel: a request as the bytes that every attempt sends, an answer read by prost.

use bytes::{BufMut, Bytes};
use prost::Message;
use tonic::Status;
use tonic::codec::{EncodeBuf, Encoder};
use tonic_prost::ProstDecoder;

/// Sends bytes as they are.
pub(crate) struct Codec<A>(std::marker::PhantomData<A>);

impl<A> Default for Codec<A> {
    fn default() -> Self {
        Self(std::marker::PhantomData)
    }
}

pub(crate) struct AsTheyAre;

impl Encoder for AsTheyAre {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, bytes: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(bytes);
        Ok(())
    }
}

impl<A: Message + Default + Send + 'static> tonic::codec::Codec for Codec<A> {
    type Encode = Bytes;
    type Decode = A;
    type Encoder = AsTheyAre;
    type Decoder = ProstDecoder<A>;

    fn encoder(&mut self) -> AsTheyAre {
        AsTheyAre
    }

    fn decoder(&mut self) -> ProstDecoder<A> {
        ProstDecoder::default()
    }
}
